//! Through a proxy.

use spandrel_plugin_api::ErrorKind;
use spandrel_provider_otlp::OtlpExporter;

use crate::server::{Reply, Server};
use crate::spans::{config, export, exporter};

#[test]
fn a_plain_request_goes_to_the_proxy_whole() {
    let proxy = Server::start(|_| Reply::status(200));
    let mut exporter = exporter("http://collector.invalid:4318", |config| {
        config.proxy = Some(format!("http://user:pass@{}", proxy.address));
    });
    export(&mut exporter, 1).unwrap();
    let received = proxy.received_one();
    assert_eq!(received.target, "http://collector.invalid:4318/v1/traces");
    assert_eq!(received.header("proxy-authorization"), "Basic dXNlcjpwYXNz");
}

#[test]
fn what_is_no_proxy_is_refused() {
    let config = config("http://localhost", |config| config.proxy = Some("http://user:hush@[".to_owned()));
    let error = OtlpExporter::new(config).unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some("proxy")));
    assert!(
        error.to_string().contains("write it like http://proxy:3128") && !error.to_string().contains("hush"),
        "{error}"
    );
}
