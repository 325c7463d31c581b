use cruddur::clock::Clock;
use cruddur::domain::{Code, Handle, Id, Message, MessageDraft, PostDraft, ProfileEdit, SearchTerm, Ttl};
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
    for bad in ["a\0b", "a\u{b}b", "a\u{c}b", "a\u{1b}[31mb", "a\u{7f}b", "a\u{85}b", "\u{7}"] {
        assert_eq!(codes(Message::post(bad)), [Code::MessageControlChars], "{bad:?}");
    }
}

#[test]
fn line_ends_and_tabs_are_normalized() {
    for (text, expected) in [
        ("a\r\nb", "a\nb"),
        ("a\rb", "a\nb"),
        ("a\r\r\nb", "a\n\nb"),
        ("a\n\rb", "a\n\nb"),
        ("a\u{2028}b", "a\nb"),
        ("a\u{2029}b", "a\nb"),
        ("a\u{2028}\u{2029}b\u{2028}", "a\n\nb"),
        ("a\tb", "a b"),
        ("\t a\t\tb \r\n", "a  b"),
    ] {
        assert_eq!(Message::post(text).unwrap().as_str(), expected, "{text:?}");
        assert_eq!(ProfileEdit::parse("x", text).unwrap().bio, expected, "{text:?}");
    }
    assert_eq!(ProfileEdit::parse("a\tb\r\n", "").unwrap().display_name, "a b");
    for line_end in ["\r\n", "\u{2028}", "\u{2029}"] {
        let name = format!("a{line_end}b");
        assert_eq!(ProfileEdit::parse(&name, "").unwrap_err().codes(), [Code::DisplayNameControlChars], "{name:?}");
    }
    assert_eq!(codes(Message::post(&format!("a{}b", "\r\n".repeat(278)))), []);
    assert_eq!(codes(Message::post(&format!("a{}b", "\r\n".repeat(279)))), [Code::MessageExceedMaxChars]);
    assert!(ProfileEdit::parse("x", &format!("a{}b", "\r\n".repeat(498))).is_ok());
    assert!(SearchTerm::parse(&format!("a{}b", "\r\n".repeat(278))).is_ok());
}

/// Texts without a visible character.
const INVISIBLE: [&str; 25] = [
    " \u{a0}\u{3000}\t\r\n",
    "\u{ad}",
    "\u{34f}",
    "\u{301}",
    "\u{301}\u{20dd}\u{93e}",
    "\u{115f}\u{1160}",
    "\u{17b5}",
    "\u{180e}",
    "\u{200b}",
    "\u{200b} \u{200c}\n\u{200d}",
    "\u{200e}\u{200f}",
    "\u{2060}\u{2063}",
    "\u{2800}\u{2800}",
    "\u{3164}",
    "\u{fe0f}",
    "\u{fe00}\u{e0100}",
    "\u{feff}",
    "\u{ffa0}",
    "\u{fffb}",
    "\u{13430}\u{1343f}",
    "\u{13441}",
    "\u{13442}",
    "\u{1d159}",
    "\u{1d173}",
    "\u{e0001}\u{e0061}\u{e007f}",
];

#[test]
fn text_without_a_visible_character_is_blank() {
    for text in INVISIBLE {
        assert_eq!(codes(Message::post(text)), [Code::MessageBlank], "{text:?}");
        assert_eq!(codes(Message::reply(text)), [Code::MessageBlank], "{text:?}");
        assert_eq!(codes(Message::direct(text)), [Code::MessageBlank], "{text:?}");
        let name = ProfileEdit::parse(text, "").unwrap_err();
        assert_eq!(name.codes()[0], Code::DisplayNameBlank, "{text:?}");
        assert_eq!(ProfileEdit::parse("x", text).unwrap().bio, "", "{text:?}");
        assert_eq!(SearchTerm::parse(text).unwrap_err().codes(), [Code::SearchTermBlank], "{text:?}");
        let recipient = MessageDraft::parse("x", Some(text), None).unwrap_err();
        assert_eq!(recipient.codes(), [Code::UserRecieverHandleBlank], "{text:?}");
    }
}

#[test]
fn text_with_a_visible_character_is_accepted() {
    for text in [
        "\u{2800}x\u{200b}",
        "e\u{301}",
        "👩\u{200d}💻",
        "👨\u{200d}👩\u{200d}👧\u{200d}👦",
        "❤\u{fe0f}",
        "1\u{fe0f}\u{20e3}",
        "🇨🇭",
        "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
        "👍🏽",
        "🏽",
        "می\u{200c}خواهم",
        "لا\u{200d}",
        "مرحبا",
        "שלום",
        "नमस्ते",
        "క్\u{200c}ష",
        "漢\u{e0100}",
        "‑",
        "\u{600}",
        "\u{13000}",
        ".",
    ] {
        assert_eq!(Message::post(text).unwrap().as_str(), text, "{text:?}");
        assert_eq!(ProfileEdit::parse(text, text).unwrap().display_name, text, "{text:?}");
    }
}

#[test]
fn direction_overrides_are_rejected_in_messages() {
    for control in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
        let text = format!("a{control}b");
        assert_eq!(codes(Message::post(&text)), [Code::MessageControlChars], "{control:?}");
        assert_eq!(codes(Message::direct(&text)), [Code::MessageControlChars], "{control:?}");
        assert_eq!(ProfileEdit::parse("x", &text).unwrap_err().codes(), [Code::BioControlChars], "{control:?}");
        assert_eq!(ProfileEdit::parse(&text, "").unwrap_err().codes(), [Code::DisplayNameControlChars], "{control:?}");
    }
    // Keyboards for Arabic and Hebrew have these marks, whose effect ends at the next letter.
    for mark in ['\u{61c}', '\u{200e}', '\u{200f}'] {
        assert_eq!(codes(Message::post(&format!("שלום{mark}!"))), [], "{mark:?}");
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
fn handle_accepts_1_to_30_ascii_characters() {
    for good in ["andrew_brown2", "Andrew_Brown", "_", "0", &"A".repeat(30)] {
        assert_eq!(Handle::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "a b", "@a", "a#b", "é", &"a".repeat(31)] {
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
