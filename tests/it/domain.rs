use cruddur::clock::Clock;
use cruddur::domain::{Code, Handle, Id, Message, PostDraft, ProfileEdit, Ttl};
use jiff::Timestamp;

use crate::support::at;

fn codes(result: Result<Message, cruddur::domain::Invalid>) -> Vec<Code> {
    result.map_or_else(|invalid| invalid.codes().to_vec(), |_| Vec::new())
}

#[test]
fn message_is_trimmed_and_counted_in_code_points() {
    assert_eq!(Message::post("\u{3000} hi \n").unwrap().as_str(), "hi");
    assert_eq!(codes(Message::post(&"é".repeat(280))), []);
    assert_eq!(codes(Message::post(&format!("  {}  ", "é".repeat(280)))), []);
    assert_eq!(codes(Message::post(&"é".repeat(281))), [Code::MessageExceedMaxChars]);
    assert_eq!(codes(Message::reply(&"é".repeat(1024))), []);
    assert_eq!(codes(Message::reply(&"é".repeat(1025))), [Code::MessageExceedMaxChars1024]);
}

#[test]
fn message_rejects_control_characters() {
    assert_eq!(codes(Message::post("a\nb")), []);
    for bad in ["a\rb", "a\tb", "a\0b", "a\u{1b}[31mb", "a\u{7f}b", "a\u{85}b"] {
        assert_eq!(codes(Message::post(bad)), [Code::MessageControlChars], "{bad:?}");
    }
}

#[test]
fn ttl_accepts_only_its_seven_words() {
    let words = ["30-days", "7-days", "3-days", "1-day", "12-hours", "3-hours", "1-hour"];
    assert_eq!(Ttl::ALL.map(Ttl::as_str), words);
    for other in ["", " 1-day", "1-days", "1-DAY", "2-days", "86400"] {
        assert_eq!(Ttl::parse(other).unwrap_err().codes(), [Code::TtlBlank]);
    }
    assert_eq!(PostDraft::parse("x", "1-day").unwrap().ttl(), Ttl::Day1);
}

#[test]
fn handle_accepts_1_to_30_lowercase_characters() {
    assert_eq!(Handle::parse("andrew_brown2").unwrap().as_str(), "andrew_brown2");
    for bad in ["", "Andrew", "a b", "a#b", "é", &"a".repeat(31)] {
        assert!(Handle::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn profile_is_trimmed_and_validated() {
    let edit = ProfileEdit::parse("  Worf  ", " a\nb ").unwrap();
    assert_eq!((edit.display_name.as_str(), edit.bio.as_str()), ("Worf", "a\nb"));
    let codes = |name: &str, bio: &str| ProfileEdit::parse(name, bio).unwrap_err().codes().to_vec();
    for control in ['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
        assert_eq!(codes(&format!("{control}a"), ""), [Code::DisplayNameControlChars], "{control:?}");
    }
    assert!(ProfileEdit::parse("👩\u{200d}💻 می\u{200c}خواهم", "").is_ok());
    let long = format!("\u{7}{}", "x".repeat(500));
    let all = [
        Code::DisplayNameExceedMaxChars,
        Code::DisplayNameControlChars,
        Code::BioExceedMaxChars,
        Code::BioControlChars,
    ];
    assert_eq!(codes(&long, &long), all);
}

#[test]
fn id_carries_its_time() {
    let id = Id::parse("0199c3a0-5e00-7a11-8b22-c33d44e55f66").unwrap();
    assert_eq!(id.created_at(), at("2025-10-08T11:41:31.008Z"));
    for bad in [
        "68f126b0-1ceb-4a33-88be-d90fa7109eee",
        "0199c3a0-5e00-7a11-0b22-c33d44e55f66",
        "{0199c3a0-5e00-7a11-8b22-c33d44e55f66}",
        "0199c3a05e007a118b22c33d44e55f66",
        "ffffffff-ffff-7a11-8b22-c33d44e55f66",
    ] {
        assert_eq!(Id::parse(bad), None, "{bad}");
    }
}

#[test]
fn system_clock_has_whole_milliseconds_and_unique_ids() {
    let clock = Clock::system();
    let (before, a, b, after) = (clock.now(), clock.new_id(), clock.new_id(), clock.now());
    assert!(before <= a.created_at() && b.created_at() <= after && a != b);
    assert_eq!(before.as_nanosecond() % 1_000_000, 0);
    assert!(before > Timestamp::UNIX_EPOCH);
}
