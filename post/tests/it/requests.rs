use spandrel_plugin_api::ErrorKind;
use spandrel_post::testing::{TestServer, answer};

use crate::{client, settings};

#[test]
fn a_request_has_its_headers_and_the_next_one_takes_the_same_connection() {
    let server = TestServer::start(&[&answer("200 OK", "", "taken")]);
    let mut settings = settings();
    settings.headers.insert("api-key", "secret".parse().unwrap());
    let client = client(&server.url("/spans?x=1"), &settings).unwrap();
    assert_eq!(client.post("text/plain", b"first").unwrap(), b"taken");
    assert_eq!(client.post("text/plain", b"").unwrap(), b"");

    let (first, second) = (server.request(), server.request());
    assert_eq!((first.line.as_str(), first.body.as_slice()), ("POST /spans?x=1", &b"first"[..]));
    assert_eq!(first.header("content-type"), Some("text/plain"));
    assert_eq!(first.header("user-agent"), Some("spandrel-test/1"));
    assert_eq!(first.header("api-key"), Some("secret"));
    assert_eq!((first.header("authorization"), first.header("expect")), (None, None));
    assert_eq!((first.connection, second.connection, second.body.len()), (0, 0, 0));
}

#[test]
fn credentials_of_the_url_are_sent_unless_a_header_has_others() {
    let server = TestServer::start(&[]);
    let url = server.url("/").replace("//", "//Aladdin:open%20sesame@");
    client(&url, &settings()).unwrap().post("text/plain", b"").unwrap();
    assert_eq!(server.request().header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));

    let mut settings = settings();
    settings.headers.insert("authorization", "Bearer x".parse().unwrap());
    client(&url, &settings).unwrap().post("text/plain", b"").unwrap();
    assert_eq!(server.request().header("authorization"), Some("Bearer x"));
}

#[test]
fn a_proxy_is_asked_for_a_tunnel() {
    let proxy = TestServer::start(&["HTTP/1.1 200 OK\r\n\r\n", &answer("202 Accepted", "", "")]);
    let mut settings = settings();
    settings.proxy = Some(proxy.url(""));
    client("http://a.example:9411/spans", &settings).unwrap().post("text/plain", b"x").unwrap();
    assert_eq!(proxy.request().line, "CONNECT a.example:9411");
    let request = proxy.request();
    assert_eq!((request.line.as_str(), request.header("host")), ("POST /spans", Some("a.example:9411")));

    let proxy = TestServer::start(&[&answer("403 Forbidden", "", "")]);
    settings.proxy = Some(proxy.url("").replace("//", "//user:hush@"));
    let error = client("http://a.example:9411/spans", &settings).unwrap().post("text/plain", b"x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot connect to the test (remedy: check provider.test.proxy; the proxy must allow CONNECT to that port; \
         endpoint: http://a.example:9411/spans): CONNECT proxy failed: proxy server responded 403/403"
    );
    assert_eq!(
        (error.kind(), proxy.request().header("proxy-authorization")),
        (ErrorKind::Unavailable, Some("Basic dXNlcjpodXNo"))
    );
}
