//! Servers that write bytes, and not always those that HTTP has in mind.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Calls `answer` with each connection, once the head of a request was read on it.
pub(crate) async fn start<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match connection.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            tokio::spawn(answer(connection));
        }
    });
    url
}

/// Ten of the hundred bytes that it promises.
pub(crate) async fn cut_off() -> String {
    start(|mut connection| async move {
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789").await.unwrap();
    })
    .await
}

/// A few bytes of a body, and then nothing.
pub(crate) async fn stuck() -> String {
    start(|mut connection| async move {
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789").await.unwrap();
        // Until the client has enough.
        let _ = connection.read_u8().await;
    })
    .await
}

pub(crate) const MEBIBYTE: u64 = 1 << 20;

/// A body of so many bytes, from one buffer.
pub(crate) async fn large(mebibytes: u64) -> String {
    static BUFFER: [u8; MEBIBYTE as usize] = [b'x'; MEBIBYTE as usize];
    start(move |mut connection| async move {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", mebibytes * MEBIBYTE);
        connection.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..mebibytes {
            // The client may have enough.
            if connection.write_all(&BUFFER).await.is_err() {
                return;
            }
        }
    })
    .await
}
