use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// What a context is read from: the headers of a request, the properties of a message.
///
/// A header may occur several times, and propagation rules differ for it (two
/// `traceparent` lines are invalid, two `baggage` lines are joined), so a
/// carrier shows all values.
pub trait Carrier {
    /// Calls `each` with every value of the header `name`, in their order.
    ///
    /// `name` is in lower case; names compare without regard to case.
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str));

    /// Calls `each` with what is behind the prefix, and the value, for every header whose name
    /// begins with `prefix`.
    ///
    /// For formats that have a header for each value, as Jaeger's baggage. `prefix` is in lower
    /// case; names compare without regard to case. A carrier that cannot list its names has none.
    fn for_each_prefixed(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) {
        let _ = (prefix, each);
    }
}

/// What a context is written to.
pub trait CarrierMut {
    /// Sets the header `name` to `value`, in place of earlier values.
    fn set(&mut self, name: &'static str, value: &str);

    /// Removes the header `name`, which may have been copied from the request
    /// that came in. A carrier that cannot do that leaves it.
    fn remove(&mut self, name: &'static str) {
        let _ = name;
    }

    /// Sets a header whose name is made when it is written. A carrier that cannot do that leaves
    /// it out.
    fn set_named(&mut self, name: &str, value: &str) {
        let _ = (name, value);
    }
}

/// What is behind the prefix, if the name begins with it.
fn behind<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (begin, rest) = name.split_at_checked(prefix.len())?;
    Some(rest).filter(|_| begin.eq_ignore_ascii_case(prefix))
}

impl<S: BuildHasher> Carrier for HashMap<String, String, S> {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        for (_, value) in self.iter().filter(|(k, _)| k.eq_ignore_ascii_case(name)) {
            each(value);
        }
    }

    fn for_each_prefixed(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self {
            if let Some(rest) = behind(name, prefix) {
                each(rest, value);
            }
        }
    }
}

impl<S: BuildHasher> CarrierMut for HashMap<String, String, S> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|k, _| k == name || !k.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|k, _| !k.eq_ignore_ascii_case(name));
    }

    fn set_named(&mut self, name: &str, value: &str) {
        self.retain(|k, _| k == name || !k.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }
}

impl Carrier for BTreeMap<String, String> {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        for (_, value) in self.iter().filter(|(k, _)| k.eq_ignore_ascii_case(name)) {
            each(value);
        }
    }

    fn for_each_prefixed(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self {
            if let Some(rest) = behind(name, prefix) {
                each(rest, value);
            }
        }
    }
}

impl CarrierMut for BTreeMap<String, String> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|k, _| k == name || !k.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|k, _| !k.eq_ignore_ascii_case(name));
    }

    fn set_named(&mut self, name: &str, value: &str) {
        self.retain(|k, _| k == name || !k.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Carrier for &[(K, V)] {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        for (_, value) in self.iter().filter(|(k, _)| k.as_ref().eq_ignore_ascii_case(name)) {
            each(value.as_ref());
        }
    }

    fn for_each_prefixed(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in *self {
            if let Some(rest) = behind(name.as_ref(), prefix) {
                each(rest, value.as_ref());
            }
        }
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Carrier for Vec<(K, V)> {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        (&self[..]).for_each_value(name, each);
    }

    fn for_each_prefixed(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) {
        (&self[..]).for_each_prefixed(prefix, each);
    }
}

impl CarrierMut for Vec<(String, String)> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|(k, _)| !k.eq_ignore_ascii_case(name));
        self.push((name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|(k, _)| !k.eq_ignore_ascii_case(name));
    }

    fn set_named(&mut self, name: &str, value: &str) {
        self.retain(|(k, _)| !k.eq_ignore_ascii_case(name));
        self.push((name.to_owned(), value.to_owned()));
    }
}

#[cfg(feature = "http")]
mod headers {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Carrier, CarrierMut};

    impl Carrier for HeaderMap {
        fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
            for value in self.get_all(name) {
                each(&String::from_utf8_lossy(value.as_bytes()));
            }
        }

        fn for_each_prefixed(&self, prefix: &str, each: &mut dyn FnMut(&str, &str)) {
            for (name, value) in self {
                if let Some(rest) = super::behind(name.as_str(), prefix) {
                    each(rest, &String::from_utf8_lossy(value.as_bytes()));
                }
            }
        }
    }

    impl CarrierMut for HeaderMap {
        /// A value that is not allowed in a header is left out.
        fn set(&mut self, name: &'static str, value: &str) {
            if let Ok(value) = HeaderValue::from_str(value) {
                self.insert(HeaderName::from_static(name), value);
            }
        }

        fn remove(&mut self, name: &'static str) {
            HeaderMap::remove(self, name);
        }

        /// A name or value that is not allowed in a header is left out.
        fn set_named(&mut self, name: &str, value: &str) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                self.insert(name, value);
            }
        }
    }
}
