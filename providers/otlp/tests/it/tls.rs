//! TLS, with an authority made for the test.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_provider_otlp::{OtlpConfig, OtlpExporter, Protocol};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::server::{Reply, Server, raw};
use crate::spans::{config, export, exporter};

/// An authority with its files, which go away with it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("spandrel-otlp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// The file to trust it by.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server for `localhost`.
    pub(crate) fn server(&self, asks_for_certificates: bool) -> ServerConfig {
        let (certificate, key) = self.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if asks_for_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
        config
    }

    /// The files of a certificate for a client, and of its key.
    fn client(&self) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.issue("client", ExtendedKeyUsagePurpose::ClientAuth);
        let paths = (self.folder.join("client.pem"), self.folder.join("client.key"));
        fs::write(&paths.0, certificate.pem()).unwrap();
        fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const PROTOCOLS: [Protocol; 3] = [Protocol::HttpProtobuf, Protocol::HttpJson, Protocol::Grpc];

fn reply(received: &crate::server::Received) -> Reply {
    if received.header("content-type") == "application/grpc" { Reply::grpc(0) } else { Reply::status(200) }
}

fn https(server: &Server, change: impl FnOnce(&mut OtlpConfig)) -> Result<(), Error> {
    let endpoint = server.address.replace("127.0.0.1", "https://localhost");
    export(&mut exporter(&endpoint, change), 1)
}

#[test]
fn an_authority_of_ones_own_is_trusted() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server(false), reply);
    for protocol in PROTOCOLS {
        https(&server, |config| {
            config.protocol = protocol;
            config.certificate = Some(authority.certificate());
        })
        .unwrap();
        let version = server.received_one().version;
        let expected = if protocol == Protocol::Grpc { hyper::Version::HTTP_2 } else { hyper::Version::HTTP_11 };
        assert_eq!(version, expected);
    }
    // Without a scheme gRPC means TLS.
    let endpoint = server.address.replace("127.0.0.1", "localhost");
    let mut exporter = exporter(&endpoint, |config| {
        config.protocol = Protocol::Grpc;
        config.certificate = Some(authority.certificate());
    });
    export(&mut exporter, 1).unwrap();
}

#[test]
fn an_unknown_authority_is_not_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start_tls(authority.server(false), reply);
    for (certificate, protocol) in
        [None, Some(other.certificate())].into_iter().flat_map(|path| PROTOCOLS.map(|p| (path.clone(), p)))
    {
        let error = https(&server, |config| {
            config.protocol = protocol;
            config.certificate = certificate;
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(text.contains("set provider.otlp.certificate"), "{text}");
        assert!(text.contains("invalid peer certificate"), "{text}");
    }
    assert!(server.received().is_empty());
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server(false), reply);
    let config = |config: &mut OtlpConfig| config.certificate = Some(authority.certificate());
    let error = export(&mut exporter(&format!("https://{}", server.address), config), 1).unwrap_err();
    assert!(error.to_string().contains("use the name that the certificate is for"), "{error}");
}

#[test]
fn a_server_may_ask_for_a_certificate() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server(true), reply);
    let (certificate, key) = authority.client();
    for protocol in PROTOCOLS {
        let shared = |config: &mut OtlpConfig| {
            config.protocol = protocol;
            config.certificate = Some(authority.certificate());
        };
        let error = https(&server, shared).unwrap_err();
        assert!(error.to_string().contains("check provider.otlp.client_certificate"), "{error}");
        https(&server, |config| {
            shared(config);
            config.client_certificate = Some(certificate.clone());
            config.client_key = Some(key.clone());
        })
        .unwrap();
        server.received_one();
    }
}

#[test]
fn https_at_a_plain_port_and_http_at_one_for_tls() {
    let plain = Server::start(reply);
    for protocol in PROTOCOLS {
        let error = https(&plain, |config| config.protocol = protocol).unwrap_err();
        assert!(error.to_string().contains("use http:// in provider.otlp.endpoint"), "{error}");
    }
    let authority = Authority::new();
    let encrypted = Server::start_tls(authority.server(false), reply);
    for protocol in PROTOCOLS {
        let error = export(&mut exporter(&encrypted.url(), |config| config.protocol = protocol), 1).unwrap_err();
        assert!(error.to_string().contains("https://"), "{error}");
    }
    assert!(plain.received().is_empty() && encrypted.received().is_empty());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let (certificate, key) = authority.client();
    let empty = authority.folder.join("empty.pem");
    fs::write(&empty, "").unwrap();
    type Change<'a> = Box<dyn Fn(&mut OtlpConfig) + 'a>;
    let cases: [(&str, Change<'_>); 4] = [
        ("certificate", Box::new(|config| config.certificate = Some("/no/such/ca.pem".into()))),
        ("certificate", Box::new(|config| config.certificate = Some(empty.clone()))),
        (
            "client_certificate",
            Box::new(|config| {
                config.client_certificate = Some(key.clone());
                config.client_key = Some(key.clone());
            }),
        ),
        (
            "client_key",
            Box::new(|config| {
                config.client_certificate = Some(certificate.clone());
                config.client_key = Some(certificate.clone());
            }),
        ),
    ];
    for (key, change) in cases {
        let error = OtlpExporter::new(config("https://localhost:1", change)).unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some(key)), "{error}");
        assert!(error.context("path").is_some(), "{error}");
    }
}

#[test]
fn tls_goes_through_a_tunnel() {
    let authority = Authority::new();
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let server = Server::start_tls(authority.server(false), move |_| {
            if protocol == Protocol::Grpc { Reply::grpc(0) } else { Reply::status(200) }
        });
        let (asked, heard) = mpsc::channel();
        let (asked, target) = (std::sync::Mutex::new(asked), server.address.clone());
        let proxy = raw(move |mut inward| {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && inward.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            let line = String::from_utf8(head).unwrap().lines().next().unwrap_or_default().to_owned();
            asked.lock().unwrap().send(line).unwrap();
            inward.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let mut outward = TcpStream::connect(&target).unwrap();
            let (mut back, mut forth) = (outward.try_clone().unwrap(), inward.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
            let _ = std::io::copy(&mut inward, &mut outward);
        });
        let mut exporter = exporter("https://localhost:4318", |config| {
            config.protocol = protocol;
            config.certificate = Some(authority.certificate());
            config.proxy = Some(format!("http://{proxy}"));
        });
        export(&mut exporter, 1).unwrap();
        server.received_one();
        assert_eq!(heard.recv().unwrap(), "CONNECT localhost:4318 HTTP/1.1");
    }
}
