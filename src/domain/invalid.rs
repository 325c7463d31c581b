use std::fmt;

/// One rule that input has broken, by the name that clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No message, or white space alone.
    MessageBlank,
    /// A post of more than 280 characters.
    MessageExceedMaxChars,
    /// A reply of more than 1024 characters.
    MessageExceedMaxChars1024,
    /// A control character other than a line feed.
    MessageControlChars,
    /// No name to show, or white space alone.
    DisplayNameBlank,
    /// A name of more than 50 characters.
    DisplayNameExceedMaxChars,
    /// A control character in a name, of those that turn the writing direction too.
    DisplayNameControlChars,
    /// A bio of more than 500 characters.
    BioExceedMaxChars,
    /// A control character other than a line feed in a bio.
    BioControlChars,
    /// No life time, or one that is not offered.
    TtlBlank,
    /// A message for nobody; the original's spelling.
    UserRecieverHandleBlank,
    /// A message for no conversation.
    MessageGroupUuidBlank,
    /// A message to oneself.
    UserReceiverIsSender,
    /// Nothing to search for: no word in the term.
    SearchTermBlank,
    /// A term longer than any post.
    SearchTermExceedMaxChars,
}

impl Code {
    /// The code as clients see it.
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

/// Input that was refused, with every rule it breaks. There is always at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    codes: Vec<Code>,
}

impl Invalid {
    /// One broken rule.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self { codes: vec![code] }
    }

    /// Both values, or all the codes of both.
    pub(super) fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(invalid), Ok(_)) | (Ok(_), Err(invalid)) => Err(invalid),
            (Err(a), Err(b)) => Err(Self { codes: [a.codes, b.codes].concat() }),
        }
    }

    /// Refuses when a code's rule is broken.
    pub(super) fn check<const N: usize>(rules: [(Code, bool); N]) -> Result<(), Self> {
        let codes: Vec<Code> = rules.into_iter().filter(|(_, broken)| *broken).map(|(code, _)| code).collect();
        if codes.is_empty() { Ok(()) } else { Err(Self { codes }) }
    }

    /// The broken rules, in the order in which they are checked.
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
