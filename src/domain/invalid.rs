use std::fmt;

/// A validation rule that the input breaks, named as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The message is missing or has no visible character.
    MessageBlank,
    /// The post is longer than 280 characters.
    MessageExceedMaxChars,
    /// The reply or direct message is longer than 1024 characters.
    MessageExceedMaxChars1024,
    /// The message contains a control character other than a tab and a line end, or a character that changes the writing
    /// direction of the text after it.
    MessageControlChars,
    /// The display name is missing or has no visible character.
    DisplayNameBlank,
    /// The display name is longer than 50 characters.
    DisplayNameExceedMaxChars,
    /// The display name contains a control character or a bidirectional formatting character.
    DisplayNameControlChars,
    /// The bio is longer than 500 characters.
    BioExceedMaxChars,
    /// The bio contains a character that a message must not contain.
    BioControlChars,
    /// The lifetime is missing or not one of [`Ttl::ALL`](super::Ttl::ALL).
    TtlBlank,
    /// The direct message has no recipient. The spelling is the original API's.
    UserRecieverHandleBlank,
    /// The id of the conversation is blank.
    MessageGroupUuidBlank,
    /// The recipient is the sender.
    UserReceiverIsSender,
    /// The search term contains no word.
    SearchTermBlank,
    /// The search term is longer than any post can be.
    SearchTermExceedMaxChars,
}

impl Code {
    /// Returns the code as sent to clients.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageBlank => "message_blank",
            Self::MessageExceedMaxChars => "message_exceed_max_chars",
            Self::MessageExceedMaxChars1024 => "message_exceed_max_chars_1024",
            Self::MessageControlChars => "message_control_chars",
            Self::DisplayNameBlank => "display_name_blank",
            Self::DisplayNameExceedMaxChars => "display_name_exceed_max_chars",
            Self::DisplayNameControlChars => "display_name_control_chars",
            Self::BioExceedMaxChars => "bio_exceed_max_chars",
            Self::BioControlChars => "bio_control_chars",
            Self::TtlBlank => "ttl_blank",
            Self::UserRecieverHandleBlank => "user_reciever_handle_blank",
            Self::MessageGroupUuidBlank => "message_group_uuid_blank",
            Self::UserReceiverIsSender => "user_receiver_is_sender",
            Self::SearchTermBlank => "search_term_blank",
            Self::SearchTermExceedMaxChars => "search_term_exceed_max_chars",
        }
    }
}

/// Rejected input with the codes of all rules that it breaks, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    codes: Vec<Code>,
}

impl Invalid {
    /// Creates an error with a single code.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { codes: vec![code] }
    }

    /// Returns both values, or the codes of both errors in that order.
    pub(super) fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(invalid), Ok(_)) | (Ok(_), Err(invalid)) => Err(invalid),
            (Err(a), Err(b)) => Err(Self { codes: [a.codes, b.codes].concat() }),
        }
    }

    /// Fails with the code of each rule that is marked as broken.
    pub(super) fn check<const N: usize>(rules: [(Code, bool); N]) -> Result<(), Self> {
        let codes: Vec<Code> = rules.into_iter().filter(|(_, broken)| *broken).map(|(code, _)| code).collect();
        if codes.is_empty() { Ok(()) } else { Err(Self { codes }) }
    }

    /// Returns the codes in the order in which the rules are checked.
    #[must_use]
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = self.codes.iter().map(|code| code.as_str()).collect();
        f.write_str(&codes.join(","))
    }
}

impl std::error::Error for Invalid {}
