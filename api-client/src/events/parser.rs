use std::collections::VecDeque;
use std::time::Duration;

use super::Event;

/// Makes events of bytes, wherever these are cut.
pub(crate) struct Parser {
    limit: usize,
    /// `None` once the first bytes are known to be no byte order mark, or one was skipped.
    mark: Option<usize>,
    /// The last byte was a `\r`; a `\n` after it belongs to it.
    after_return: bool,
    line: Vec<u8>,
    event: String,
    data: String,
    id: String,
    retry: Option<Duration>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Parser {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            mark: Some(0),
            after_return: false,
            line: Vec::new(),
            event: String::new(),
            data: String::new(),
            id: String::new(),
            retry: None,
        }
    }

    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes the next bytes and adds the events that are complete with them.
    ///
    /// # Errors
    ///
    /// An event is too large. Those before it are there.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], events: &mut VecDeque<Event>) -> Result<(), String> {
        bytes = self.skip_mark(bytes);
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let text = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + text.len() + self.data.len() + self.event.len() > self.limit {
                let limit = self.limit;
                return Err(format!("an event has more than {limit} bytes; `max_event_bytes` raises the limit"));
            }
            self.line.extend_from_slice(text);
            let Some(end) = end else { return Ok(()) };
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(events);
        }
        Ok(())
    }

    /// The bytes after a byte order mark, which may come in parts.
    fn skip_mark<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(seen) = self.mark else { return bytes };
        let rest = &BYTE_ORDER_MARK[seen..];
        let same = bytes.iter().zip(rest).take_while(|(one, other)| one == other).count();
        if same == rest.len() {
            self.mark = None;
        } else if same == bytes.len() {
            self.mark = Some(seen + same);
        } else {
            self.mark = None;
            self.line.extend_from_slice(&BYTE_ORDER_MARK[..seen]);
            return bytes;
        }
        &bytes[same..]
    }

    fn end_line(&mut self, events: &mut VecDeque<Event>) {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        if line.is_empty() {
            self.dispatch(events);
        } else {
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            self.set(field, value.strip_prefix(' ').unwrap_or(value));
        }
        // Its room is used again.
        self.line = bytes;
        self.line.clear();
    }

    fn set(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis);
            }
            // Comments have an empty field.
            _ => {}
        }
    }

    fn dispatch(&mut self, events: &mut VecDeque<Event>) {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        // One line of data, even an empty one, has left its end here.
        if data.pop().is_some() {
            let event = if event.is_empty() { "message".to_owned() } else { event };
            events.push_back(Event { event, data, id: self.id.clone(), retry: self.retry });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use super::super::Event;
    use super::Parser;

    fn event(event: &str, data: &str, id: &str) -> Event {
        Event { event: event.to_owned(), data: data.to_owned(), id: id.to_owned(), retry: None }
    }

    /// The events of a text, which must not depend on where it is cut.
    fn parse(text: &[u8]) -> Vec<Event> {
        let parse_parts = |size: usize| {
            let mut events = VecDeque::new();
            let mut parser = Parser::new(1000);
            text.chunks(size).for_each(|part| parser.feed(part, &mut events).unwrap());
            Vec::from(events)
        };
        let whole = parse_parts(text.len());
        for size in 1..text.len() {
            assert_eq!(parse_parts(size), whole, "in parts of {size} bytes");
        }
        whole
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(parse(b"data: YHOO\ndata: +2\ndata: 10\n\n"), [event("message", "YHOO\n+2\n10", "")]);
        assert_eq!(
            parse(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            [
                event("message", "first event", "1"),
                event("message", "second event", ""),
                event("message", " third event", "")
            ]
        );
        assert_eq!(parse(b"data\n\ndata\ndata\n\ndata:"), [event("message", "", ""), event("message", "\n", "")]);
        assert_eq!(parse(b"data:test\n\ndata: test\n\n"), vec![event("message", "test", ""); 2]);
    }

    #[test]
    fn lines_end_in_three_ways() {
        let text = b"event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\revent: c\ndata: 3\n\n\ndata: 4\r\n\r\n";
        assert_eq!(
            parse(text),
            [event("a", "1", ""), event("b", "2", ""), event("c", "3", ""), event("message", "4", "")]
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        assert_eq!(parse(b"\xEF\xBB\xBFdata: 1\n\n"), [event("message", "1", "")]);
        assert_eq!(parse(b"\xEF\xBB\xBF\xEF\xBB\xBFdata: 1\n\ndata: 2\n\n"), [event("message", "2", "")]);
        assert_eq!(parse(b"\xEFdata: 1\n\ndata: \xC3\xA4\xFF\n\n"), [event("message", "\u{e4}\u{fffd}", "")]);
    }

    #[test]
    fn what_is_no_field_is_ignored() {
        let text = b": data: 0\nData: 0\ndata : 0\nid: a\0b\nretry: 1x\nretry:\nretry: -1\nunknown\ndata: 1\n\n";
        assert_eq!(parse(text), [event("message", "1", "")]);
        assert_eq!(parse(b"event: lost\n\nid: 7\n\ndata: 1\n\n"), [event("message", "1", "7")]);
        let retry = Event { retry: Some(Duration::from_millis(1500)), ..event("message", "1", "") };
        assert_eq!(parse(b"retry: 1500\n\ndata: 1\n\n"), [retry]);
        assert_eq!(parse(b"data: never complete\n"), []);
    }

    #[test]
    fn an_event_has_a_limit_and_the_stream_has_none() {
        let mut events = VecDeque::new();
        let mut parser = Parser::new(20);
        for _ in 0..100 {
            parser.feed(b": comment\ndata: 123\ndata: 456\n\n", &mut events).unwrap();
        }
        assert_eq!(events.len(), 100);
        let expected = "an event has more than 20 bytes; `max_event_bytes` raises the limit";
        assert_eq!(parser.feed(b"data: 0123456789abcdef", &mut events).unwrap_err(), expected);
        let mut parser = Parser::new(20);
        let error = (0..10).find_map(|_| parser.feed(b"data: 1\n", &mut events).err());
        assert_eq!(error.unwrap(), expected);
    }
}
