/// Attributes, borrowed: an array of [`Attribute`](crate::Attribute).
///
/// Values are borrowed, so bind what is computed for it to a name first, or
/// write the macro right into the call that takes the attributes.
///
/// ```
/// use spandrel as tracing;
///
/// let user = String::from("u-17");
/// tracing::with_span("checkout", |span| {
///     span.set_attributes(&tracing::attrs! { "user.id" => user, "cart.items" => 3, "cart.total" => 12.5 });
/// });
/// ```
#[macro_export]
macro_rules! attrs {
    ($($key:expr => $value:expr),* $(,)?) => {
        [$($crate::__private::Attribute { key: $key, value: $crate::__private::ToValue::to_value(&$value) }),*]
    };
}
