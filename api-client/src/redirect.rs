//! What follows from a redirect, as browsers and reqwest have it: 301 and 302 make a
//! `GET` of a `POST`, 303 of everything but `HEAD`, 307 and 308 keep method and body.
//! A redirect that cannot be followed for want of a location or a body is a response.

use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, REFERER, TRANSFER_ENCODING,
};
use reqwest::{Method, Request, StatusCode, Url};

use crate::{headers, url};

pub(crate) fn is_redirect(response: &reqwest::Response) -> bool {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    is_redirect && response.headers().contains_key(LOCATION)
}

/// A request that can be sent again, as far as its body can.
pub(crate) struct Again {
    pub(crate) request: Request,
    pub(crate) has_whole_body: bool,
}

impl Again {
    pub(crate) fn of(request: &Request) -> Self {
        if let Some(request) = request.try_clone() {
            return Self { request, has_whole_body: true };
        }
        let mut again = Request::new(request.method().clone(), request.url().clone());
        *again.headers_mut() = request.headers().clone();
        *again.timeout_mut() = request.timeout().copied();
        *again.version_mut() = request.version();
        Self { request: again, has_whole_body: false }
    }

    /// The request to where the response points; `None` if it points nowhere.
    ///
    /// # Errors
    ///
    /// Why it must not be followed, without secrets.
    pub(crate) fn redirected(
        self,
        response: &reqwest::Response,
        defaults: &HeaderMap,
        secrets: &[String],
    ) -> Result<Option<Request>, String> {
        let Self { mut request, has_whole_body } = self;
        let becomes_get = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *request.method() == Method::POST,
            StatusCode::SEE_OTHER => true,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
        if !becomes_get && !has_whole_body {
            return Ok(None);
        }
        let target = target(request.url(), location.as_bytes(), secrets)?;
        if becomes_get {
            if *request.method() != Method::HEAD {
                *request.method_mut() = Method::GET;
            }
            *request.body_mut() = None;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
                request.headers_mut().remove(name);
            }
        }
        if !url::is_same_origin(request.url(), &target) {
            headers::remove_private(request.headers_mut(), defaults);
        }
        // It would tell where we were, query and all.
        request.headers_mut().remove(REFERER);
        *request.url_mut() = target;
        Ok(Some(request))
    }
}

fn target(from: &Url, location: &[u8], secrets: &[String]) -> Result<Url, String> {
    let location = String::from_utf8_lossy(location);
    let refused = |reason: &str| format!("redirect to `{}`: {reason}", url::readable(&location, secrets));
    let mut target = from.join(&location).map_err(|error| refused(&error.to_string()))?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err(refused("only http and https are followed"));
    }
    // Nobody here chose these.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    Ok(target)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use reqwest::{Body, Method, Request, Response};

    use super::Again;

    fn redirected(
        method: &str,
        body: Option<&'static str>,
        status: u16,
        location: &str,
    ) -> Result<Option<Request>, String> {
        let mut request = Request::new(method.parse().unwrap(), "http://here/a/b?c=1".parse().unwrap());
        request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        request.headers_mut().insert("authorization", "hush".parse().unwrap());
        *request.body_mut() = body.map(Body::from);
        let response = http::Response::builder().status(status).header("location", location).body("").unwrap();
        Again::of(&request).redirected(&Response::from(response), &HeaderMap::new(), &["sig".to_owned()])
    }

    #[test]
    fn methods_change_as_in_browsers() {
        for (method, status, expected) in [
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("PUT", 302, "PUT"),
            ("PUT", 303, "GET"),
            ("HEAD", 303, "HEAD"),
            ("POST", 307, "POST"),
            ("POST", 308, "POST"),
        ] {
            let request = redirected(method, Some("text"), status, "/x").unwrap().unwrap();
            assert_eq!(request.method(), expected.parse::<Method>().unwrap(), "{method} {status}");
            let keeps_body = status > 303 || method == expected && status < 303;
            assert_eq!(request.body().is_some(), keeps_body, "{method} {status}");
            assert_eq!(request.headers().contains_key("content-type"), keeps_body, "{method} {status}");
        }
        assert!(redirected("GET", None, 304, "/x").unwrap().is_none());
        assert!(redirected("GET", None, 200, "/x").unwrap().is_none());
    }

    #[test]
    fn targets_are_relative_to_the_request_and_without_credentials() {
        let target = |location| redirected("GET", None, 302, location).unwrap().unwrap().url().to_string();
        assert_eq!(target("d"), "http://here/a/d");
        assert_eq!(target("/d?e"), "http://here/d?e");
        assert_eq!(target("//there/d"), "http://there/d");
        assert_eq!(target("https://me:secret@there/"), "https://there/");
        let error = redirected("GET", None, 302, "ftp://me:hush@there/?sig=hush").unwrap_err();
        assert_eq!(
            error,
            "redirect to `ftp://REDACTED:REDACTED@there/?sig=REDACTED`: only http and https are followed"
        );
    }

    #[test]
    fn credentials_stay_where_they_were_meant_to_go() {
        let has =
            |location| redirected("GET", None, 302, location).unwrap().unwrap().headers().contains_key("authorization");
        assert!(has("/x"));
        assert!(has("http://here:80/x"));
        assert!(!has("http://there/x"));
        assert!(!has("http://here:81/x"));
        assert!(!has("https://here/x"));
    }
}
