use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use spandrel_plugin_api::ErrorKind;
use spandrel_post::testing::{TestServer, answer};

use crate::{client, settings};

/// A server with a certificate of its own for `localhost`, which is also given as a file.
fn secure_server(name: &str) -> (SocketAddr, PathBuf) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = std::env::temp_dir().join(format!("spandrel-post-{name}-{}.pem", std::process::id()));
    std::fs::write(&path, cert.pem()).unwrap();

    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            let mut seen = Vec::new();
            let mut buffer = [0; 1024];
            while !seen.ends_with(b"the end") {
                match stream.read(&mut buffer) {
                    Ok(read @ 1..) => seen.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            if seen.ends_with(b"the end") {
                stream.write_all(answer("202 Accepted", "", "safe").as_bytes()).unwrap();
            }
        }
    });
    (address, path)
}

#[test]
fn a_server_is_trusted_by_its_authority_and_name() {
    let (address, path) = secure_server("trusted");
    let url = format!("https://localhost:{}/spans", address.port());
    let mut settings = settings();
    settings.certificate = Some(path.clone());
    assert_eq!(client(&url, &settings).unwrap().post("text/plain", b"the end").unwrap(), b"safe");

    // The same certificate under a name that it is not for, and another authority.
    let (_, other) = secure_server("other");
    let by_number = format!("https://{address}/spans");
    for (url, authority) in [(&by_number, &path), (&url, &other)] {
        settings.certificate = Some(authority.clone());
        let error = client(url, &settings).unwrap().post("text/plain", b"the end").unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "cannot trust the test"), "{error}");
        assert!(error.context("remedy").unwrap().starts_with("set provider.test.certificate"), "{error}");
    }
    for path in [path, other] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_server_without_tls_is_told_as_such() {
    let (_, path) = secure_server("plain");
    let mut settings = settings();
    settings.certificate = Some(path.clone());
    // Whatever it says: the first line is read as the head of a record.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(answer("400 Bad Request", "", "").as_bytes()).unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let error = client(&url, &settings).unwrap().post("text/plain", b"x").unwrap_err();
    thread.join().unwrap();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "no TLS comes from the test"), "{error}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_is_no_certificate_is_refused() {
    let server = TestServer::start(&[]);
    let path = std::env::temp_dir().join(format!("spandrel-post-empty-{}.pem", std::process::id()));
    std::fs::write(&path, "no certificate").unwrap();
    let mut settings = settings();
    for file in [path.clone(), path.with_extension("missing")] {
        settings.certificate = Some(file.clone());
        let error = client("https://localhost", &settings).unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some("certificate")), "{error}");
        assert_eq!(error.context("path"), Some(file.to_str().unwrap()));
        // It is not read where it is not needed.
        client(&server.url("/"), &settings).unwrap();
    }
    std::fs::remove_file(path).unwrap();
}
