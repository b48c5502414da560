/// What kind of secret it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Category {
    /// The value of a key such as `password`.
    Key,
    /// A mail address.
    Mail,
    /// A telephone number.
    Phone,
    /// A US social security number.
    Ssn,
    /// The number of a payment card.
    Card,
    /// An international bank account number.
    Iban,
    /// An IP address.
    Ip,
    /// A JSON web token.
    Jwt,
    /// A key of a known vendor.
    ApiKey,
    /// A private key.
    PrivateKey,
    /// A credential of a header, a URL or a sentence.
    Password,
    /// What a rule of the user found.
    Rule,
}

impl Category {
    /// Those that can be chosen.
    pub const ALL: [Self; 10] = [
        Self::Mail,
        Self::Phone,
        Self::Ssn,
        Self::Card,
        Self::Iban,
        Self::Ip,
        Self::Jwt,
        Self::ApiKey,
        Self::PrivateKey,
        Self::Password,
    ];

    /// All but `ip` and `phone`: addresses of peers belong to the spans of requests, and telephone numbers look
    /// like other numbers more than the rest does.
    pub const DEFAULT: [Self; 8] =
        [Self::Mail, Self::Ssn, Self::Card, Self::Iban, Self::Jwt, Self::ApiKey, Self::PrivateKey, Self::Password];

    /// Its name in configuration and counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Mail => "mail",
            Self::Phone => "phone",
            Self::Ssn => "ssn",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::ApiKey => "api_key",
            Self::PrivateKey => "private_key",
            Self::Password => "password",
            Self::Rule => "rule",
        }
    }
}

impl std::str::FromStr for Category {
    type Err = UnknownCategory;

    fn from_str(name: &str) -> Result<Self, UnknownCategory> {
        let known = Self::ALL.into_iter().find(|category| category.name() == name);
        known.ok_or_else(|| UnknownCategory(name.to_owned()))
    }
}

/// There is no category of this name that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCategory(String);

impl std::fmt::Display for UnknownCategory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = Category::ALL.map(Category::name).join(", ");
        write!(f, "there are no patterns `{}`; choose of {known}", self.0)
    }
}

impl std::error::Error for UnknownCategory {}

#[cfg(test)]
mod tests {
    use super::Category;

    #[test]
    fn names_are_read_back() {
        for category in Category::ALL {
            assert_eq!(category.name().parse(), Ok(category));
        }
        let error = "mails".parse::<Category>().unwrap_err().to_string();
        assert!(error.starts_with("there are no patterns `mails`; choose of mail, phone, "), "{error}");
        assert!("key".parse::<Category>().is_err(), "keys are always looked at");
    }
}
