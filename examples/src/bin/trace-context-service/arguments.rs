//! What stands on the command line.

use std::net::{Ipv4Addr, SocketAddr};

pub(crate) const HELP: &str = "\
usage: trace-context-service [--listen ADDRESS:PORT]

Answers POST /test: for each object {\"url\", \"arguments\"} of the JSON array in the body, it sends
the arguments to the url, with trace headers of its own. Where the traces go is configured as for
any service: TRACING_TYPE=file, spandrel.toml.

  --listen ADDRESS:PORT   where to listen, 127.0.0.1:8080 unless set; port 0 takes a free one
  --help                  this text
";

#[derive(Debug, PartialEq)]
pub(crate) enum Arguments {
    Help,
    Listen(SocketAddr),
}

impl Arguments {
    pub(crate) fn parse(mut all: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        while let Some(argument) = all.next() {
            let address = match (argument.as_str(), argument.strip_prefix("--listen=")) {
                ("--help" | "-h", _) => return Ok(Self::Help),
                ("--listen", _) => all.next().ok_or("--listen needs an address, as 127.0.0.1:8080")?,
                (_, Some(address)) => address.to_owned(),
                (other, None) => return Err(format!("unknown argument `{other}`, there are --listen and --help")),
            };
            listen = address
                .parse()
                .map_err(|_| format!("`{address}` is no address with a port, as 127.0.0.1:8080 or [::1]:0"))?;
        }
        Ok(Self::Listen(listen))
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn an_address_may_be_said() {
        let listen = |address: &str| Ok(Arguments::Listen(address.parse().unwrap()));
        assert_eq!(parse(""), listen("127.0.0.1:8080"));
        assert_eq!(parse("--listen 127.0.0.1:0"), listen("127.0.0.1:0"));
        assert_eq!(parse("--listen=[::1]:9000"), listen("[::1]:9000"));
        assert_eq!(
            parse("--listen nonsense --help"),
            Err("`nonsense` is no address with a port, as 127.0.0.1:8080 or [::1]:0".to_owned())
        );
        assert_eq!(parse("--help --listen"), Ok(Arguments::Help));
        assert_eq!(parse("--listen"), Err("--listen needs an address, as 127.0.0.1:8080".to_owned()));
        assert_eq!(parse("-v"), Err("unknown argument `-v`, there are --listen and --help".to_owned()));
    }
}
