use tracing_core::Metadata;

use crate::attributes::{CODE_FILE_PATH, CODE_LINE_NUMBER, CODE_MODULE_NAME, LEVEL, TARGET, THREAD_ID, THREAD_NAME};
use crate::fields::Fields;

/// What is said of the place that a span or an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    pub(crate) level: bool,
    pub(crate) target: bool,
    pub(crate) location: bool,
    pub(crate) threads: bool,
}

impl Origin {
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    #[inline]
    pub(crate) fn record(self, metadata: &Metadata<'static>, fields: &mut Fields) {
        if self.level {
            fields.push_static(LEVEL, metadata.level().as_str());
        }
        if self.target {
            fields.push_static(TARGET, metadata.target());
        }
        if self.location {
            push_if(fields, CODE_FILE_PATH, metadata.file());
            push_if(fields, CODE_MODULE_NAME, metadata.module_path());
            if let Some(line) = metadata.line() {
                fields.push_number(CODE_LINE_NUMBER, line.into());
            }
        }
        if self.threads {
            if let Some(id) = thread_id() {
                fields.push_number(THREAD_ID, id);
            }
            if let Some(name) = std::thread::current().name() {
                fields.push_text(THREAD_NAME, name);
            }
        }
    }
}

fn push_if(fields: &mut Fields, key: &'static str, text: Option<&'static str>) {
    if let Some(text) = text {
        fields.push_static(key, text);
    }
}

/// The number of this thread, which the standard library has in a text alone.
fn thread_id() -> Option<u64> {
    thread_local! {
        static ID: Option<u64> = {
            let text = format!("{:?}", std::thread::current().id());
            text.trim_start_matches("ThreadId(").trim_end_matches(')').parse().ok()
        };
    }
    ID.try_with(|id| *id).ok().flatten()
}
