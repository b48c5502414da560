/// An attribute value, borrowed for one call.
///
/// The types are those of the OpenTelemetry attribute model. Made from Rust
/// values by [`ToValue`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "fixed by the OpenTelemetry specification")]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    I64(i64),
    /// A double.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// An array of booleans.
    BoolArray(&'a [bool]),
    /// An array of integers.
    I64Array(&'a [i64]),
    /// An array of doubles.
    F64Array(&'a [f64]),
    /// An array of texts.
    StrArray(StrArray<'a>),
}

/// A borrowed array of texts, whoever owns them.
#[derive(Clone, Copy)]
pub struct StrArray<'a>(Texts<'a>);

#[derive(Clone, Copy)]
enum Texts<'a> {
    Borrowed(&'a [&'a str]),
    Owned(&'a [String]),
}

/// A key and its value, borrowed for one call.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a pair stays a pair")]
pub struct Attribute<'a> {
    /// The name; dots separate its parts: `http.request.method`.
    pub key: &'a str,
    /// The value.
    pub value: Value<'a>,
}

/// An attribute value that owns its data.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "fixed by the OpenTelemetry specification")]
pub enum OwnedValue {
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    I64(i64),
    /// A double.
    F64(f64),
    /// Text.
    Str(String),
    /// An array of booleans.
    BoolArray(Vec<bool>),
    /// An array of integers.
    I64Array(Vec<i64>),
    /// An array of doubles.
    F64Array(Vec<f64>),
    /// An array of texts.
    StrArray(Vec<String>),
}

/// A key and its value that own their data.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a pair stays a pair")]
pub struct OwnedAttribute {
    /// The name.
    pub key: String,
    /// The value.
    pub value: OwnedValue,
}

/// What can be the value of an attribute.
///
/// Implemented for booleans, numbers, texts, and slices, arrays and vectors of
/// `bool`, `i64`, `f64`, `&str` and `String`. An unsigned integer above
/// `i64::MAX`, which the attribute model cannot hold, becomes the nearest double.
///
/// ```
/// use spandrel_plugin_api::{ToValue, Value};
///
/// assert_eq!(3_u8.to_value(), Value::I64(3));
/// assert_eq!(String::from("a").to_value(), Value::Str("a"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value of an attribute",
    label = "not a number, text, boolean, or an array of them",
    note = "record a part of it, or a text: `format!(\"{{x:?}}\")`; `#[traced(capture(args))]` does that for arguments"
)]
pub trait ToValue {
    /// The value, borrowed from `self`.
    fn to_value(&self) -> Value<'_>;
}

impl<'a> Attribute<'a> {
    /// A key with its value.
    #[must_use]
    pub fn new<V: ToValue + ?Sized>(key: &'a str, value: &'a V) -> Self {
        let value = value.to_value();
        Self { key, value }
    }

    /// A copy that owns its data.
    #[must_use]
    pub fn to_owned(&self) -> OwnedAttribute {
        let key = self.key.to_owned();
        let value = self.value.to_owned();
        OwnedAttribute { key, value }
    }
}

impl OwnedAttribute {
    /// A key with its value.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl ToValue) -> Self {
        let key = key.into();
        let value = value.to_value().to_owned();
        Self { key, value }
    }

    /// The same attribute, borrowed.
    #[must_use]
    pub fn as_attribute(&self) -> Attribute<'_> {
        Attribute::new(&self.key, &self.value)
    }
}

impl<'a> StrArray<'a> {
    /// The texts in their order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        (0..self.len()).map(move |i| match self.0 {
            Texts::Borrowed(texts) => texts[i],
            Texts::Owned(texts) => texts[i].as_str(),
        })
    }

    /// How many texts there are.
    #[must_use]
    pub const fn len(self) -> usize {
        match self.0 {
            Texts::Borrowed(texts) => texts.len(),
            Texts::Owned(texts) => texts.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a [&'a str]> for StrArray<'a> {
    fn from(texts: &'a [&'a str]) -> Self {
        Self(Texts::Borrowed(texts))
    }
}

impl<'a> From<&'a [String]> for StrArray<'a> {
    fn from(texts: &'a [String]) -> Self {
        Self(Texts::Owned(texts))
    }
}

impl PartialEq for StrArray<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for StrArray<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Value<'_> {
    /// A copy that owns its data.
    #[must_use]
    pub fn to_owned(&self) -> OwnedValue {
        match *self {
            Value::Bool(v) => OwnedValue::Bool(v),
            Value::I64(v) => OwnedValue::I64(v),
            Value::F64(v) => OwnedValue::F64(v),
            Value::Str(v) => OwnedValue::Str(v.to_owned()),
            Value::BoolArray(v) => OwnedValue::BoolArray(v.to_vec()),
            Value::I64Array(v) => OwnedValue::I64Array(v.to_vec()),
            Value::F64Array(v) => OwnedValue::F64Array(v.to_vec()),
            Value::StrArray(v) => OwnedValue::StrArray(v.iter().map(str::to_owned).collect()),
        }
    }
}

impl ToValue for OwnedValue {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Bool(v) => Value::Bool(*v),
            Self::I64(v) => Value::I64(*v),
            Self::F64(v) => Value::F64(*v),
            Self::Str(v) => Value::Str(v),
            Self::BoolArray(v) => Value::BoolArray(v),
            Self::I64Array(v) => Value::I64Array(v),
            Self::F64Array(v) => Value::F64Array(v),
            Self::StrArray(v) => Value::StrArray(v.as_slice().into()),
        }
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl ToValue for Value<'_> {
    fn to_value(&self) -> Value<'_> {
        *self
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value<'_> {
        Value::Str(self)
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        Value::Str(self)
    }
}

impl ToValue for std::borrow::Cow<'_, str> {
    fn to_value(&self) -> Value<'_> {
        Value::Str(self)
    }
}

macro_rules! numbers {
    ($($t:ty => |$v:ident| $value:expr;)*) => {
        $(impl ToValue for $t {
            fn to_value(&self) -> Value<'_> {
                let $v = *self;
                $value
            }
        })*
    };
}

numbers! {
    i8 => |v| Value::I64(v.into());
    i16 => |v| Value::I64(v.into());
    i32 => |v| Value::I64(v.into());
    i64 => |v| Value::I64(v);
    isize => |v| Value::I64(v as i64);
    u8 => |v| Value::I64(v.into());
    u16 => |v| Value::I64(v.into());
    u32 => |v| Value::I64(v.into());
    u64 => |v| i64::try_from(v).map_or(Value::F64(v as f64), Value::I64);
    usize => |v| i64::try_from(v).map_or(Value::F64(v as f64), Value::I64);
    f32 => |v| Value::F64(v.into());
    f64 => |v| Value::F64(v);
}

macro_rules! arrays {
    ($($t:ty => |$v:ident| $value:expr;)*) => {
        $(impl ToValue for [$t] {
            fn to_value(&self) -> Value<'_> {
                let $v = self;
                $value
            }
        }
        impl ToValue for Vec<$t> {
            fn to_value(&self) -> Value<'_> {
                self.as_slice().to_value()
            }
        }
        impl<const N: usize> ToValue for [$t; N] {
            fn to_value(&self) -> Value<'_> {
                self.as_slice().to_value()
            }
        })*
    };
}

arrays! {
    bool => |v| Value::BoolArray(v);
    i64 => |v| Value::I64Array(v);
    f64 => |v| Value::F64Array(v);
    &str => |v| Value::StrArray(v.into());
    String => |v| Value::StrArray(v.into());
}

#[cfg(test)]
mod tests {
    use super::{ToValue, Value};

    #[test]
    fn unsigned_values_never_wrap() {
        assert_eq!(7_u64.to_value(), Value::I64(7));
        assert_eq!(u64::MAX.to_value(), Value::F64(u64::MAX as f64));
    }

    #[test]
    fn text_arrays_compare_by_content() {
        let owned = vec![String::from("a"), String::from("b")];
        assert_eq!(owned.to_value(), ["a", "b"].to_value());
        assert_eq!(owned.to_value().to_owned().to_value(), ["a", "b"].to_value());
    }
}
