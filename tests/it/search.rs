use std::collections::BTreeSet;

use cruddur::domain::{SearchTerm, SearchText, WordList};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{ANDREW, Answer, TestApp, hours};

fn encoded(term: &str) -> String {
    term.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn search(app: &TestApp, term: &str) -> Vec<String> {
    let found = app.get(&format!("/api/activities/search?term={}", encoded(term))).await;
    assert_eq!(found.status, 200, "{}", found.body);
    found.messages().into_iter().map(str::to_owned).collect()
}

/// Indexed posts, oldest first, of the last hour.
async fn posted(messages: &[&str]) -> TestApp {
    let mut app = TestApp::new().await;
    for (number, message) in (0..).zip(messages) {
        let ago = hours(1) - SignedDuration::from_secs(i64::try_from(number).unwrap());
        app.posted(ago, number, message, "1-day").await;
    }
    app.settle().await;
    app
}

fn analyzed(text: &str) -> String {
    SearchText::new(text).stored()
}

#[test]
fn search_text_is_folded_and_split() {
    for (text, expected) in [
        ("Cloud is (very) fun, FUN!", " cloud is very fun "),
        ("Don't   panic\n3.14 1,000. a.b @a_b _x_", " don t panic 3.14 1,000 a b a_b x "),
        ("\u{FB01}ne \u{FF21}\u{FF22} x² ½", " fine ab x2 1 2 "),
        ("İstanbul ISTANBUL KAPALI kapalı", " istanbul kapali "),
        ("STRASSE Straße ΣΊΣΥΦΟΣ Σίσυφος", " strasse σισυφοσ "),
        ("Łódź Œuvre Ærø Tiếng", " lodz oeuvre aero tieng "),
        ("ёлка Ёлка мой мо\u{301}й м’який", " елка мой мякий "),
        ("مُحَمَّد أحمد مـرحبا می\u{200c}خواهم", " محمد احمد مرحبا میخواهم "),
        ("שָׁלוֹם צה״ל צה\"ל", " שלום צהל "),
        ("東京2026年 ﾏｰｹｯﾄ ガ カ", " 東京 2026 年 マーケット ガ カ "),
        ("hid\u{ad}den wo\u{200b}rds", " hidden words "),
        ("!? … _ \u{301} \u{1F3FD} \u{3164}", " "),
    ] {
        assert_eq!(analyzed(text), expected, "{text}");
    }
    assert_eq!(analyzed(&"x".repeat(280)), format!(" {} ", "x".repeat(280)));
}

#[test]
fn emoji_is_one_unit_without_skin_tone() {
    for (text, expected) in [
        ("👍🏽 👍 👍\u{fe0f}", " 👍 "),
        ("👩🏽\u{200d}💻👩", " 👩\u{200d}💻 👩 "),
        ("🇫🇷🇩🇪", " 🇫🇷 🇩🇪 "),
        ("so❤\u{fe0f}much", " so ❤ much "),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}🏴",
            " 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} 🏴 ",
        ),
        ("1\u{fe0f}\u{20e3} Rust™", " 1 rust ™ "),
    ] {
        assert_eq!(analyzed(text), expected, "{text}");
    }
}

#[test]
fn last_word_of_three_characters_is_a_prefix() {
    for (term, expected) in [
        ("cat the", &[" cat ", " the"][..]),
        (" the cat THE ", &[" the ", " cat "]),
        ("the ca", &[" the ", " ca "]),
        ("the 東京", &[" the ", "東京"]),
        ("the 👍🏽", &[" the ", " 👍 "]),
    ] {
        assert_eq!(SearchTerm::parse(term).unwrap().patterns(), expected, "{term}");
    }
}

fn prefix(text: &str) -> WordList {
    WordList::Prefix(text.to_owned())
}

fn whole(text: &str) -> WordList {
    WordList::Whole(text.to_owned())
}

#[test]
fn search_reads_the_most_selective_list() {
    for (term, list, is_exact) in [
        ("pizza pineapple on", prefix("pin"), false),
        ("pine", prefix("pin"), false),
        ("pin", prefix("pin"), true),
        ("pin on", prefix("pin"), false),
        ("the the", prefix("the"), true),
        ("on 東京", whole("東"), false),
        ("マ東", whole("東"), false),
        ("東", whole("東"), true),
        ("マ 👍", whole("👍"), false),
        ("👍", whole("👍"), true),
        ("on", whole("on"), true),
    ] {
        let lookups = SearchTerm::parse(term).unwrap().lookups();
        assert_eq!((&lookups[0].list, lookups[0].is_exact), (&list, is_exact), "{term}");
        // The short ones of a long post are in a shared list.
        let shared =
            matches!(&lookups[1..], [shared] if matches!(shared.list, WordList::Shared(_)) && !shared.is_exact);
        assert_eq!(shared, matches!(list, WordList::Whole(_)), "{term}");
    }
}

#[test]
fn post_of_twelve_words_has_at_most_12_lists() {
    let lists = SearchText::new("Who likes pineapple on their pizza, and who would rather have anchovies?").lists();
    let prefixes = ["anc", "and", "hav", "lik", "pin", "piz", "rat", "the", "who", "wou"];
    let expected: BTreeSet<_> = prefixes.map(prefix).into_iter().chain([whole("on")]).collect();
    assert_eq!(lists, expected);
}

/// A post of the maximum length, of distinct ideographs.
fn ideographs() -> String {
    (0..280).map(|number| char::from_u32(0x4E00 + number).unwrap()).collect()
}

#[test]
fn short_lists_of_a_post_are_at_most_40() {
    for text in
        [ideographs(), ('a'..='z').flat_map(|a| ['a', 'e', 'i', 'o', 'u'].map(|b| format!("{a}{b} "))).collect()]
    {
        let lists = SearchText::new(&text).lists();
        assert_eq!((lists.len(), SearchText::MAX_SHORT_LISTS), (40, 40));
        assert_eq!(lists.iter().filter(|list| matches!(list, WordList::Shared(_))).count(), 8);
    }
}

/// Whether the index finds the post: a list of the term contains it, and its text all patterns.
fn finds(post: &str, term: &str) -> bool {
    let (post, term) = (SearchText::new(post), SearchTerm::parse(term).unwrap());
    let (lists, stored) = (post.lists(), post.stored());
    term.lookups().iter().any(|lookup| lists.contains(&lookup.list))
        && term.patterns().iter().all(|pattern| stored.contains(pattern))
}

/// Letters of many scripts, marks, emoji, joiners and punctuation.
const TEXTS: &str = "[\\PC\u{200d}\u{1f1e6}-\u{1f1ff}\u{1f3fb}-\u{1f3ff}👩💻❤\u{fe0f}a-z'’\"_.,0-9\u{300}-\u{310}א-ת\u{5b0}-\u{5bc}й東アー\u{3099}ก-๛가-갛\u{1100}-\u{11ff}\u{ffa0}\u{3164}İıŉßﬃ㍿ﷺĿ ]{1,50}";

proptest! {
    #[test]
    fn analysis_of_an_analysis_is_the_same(text in TEXTS) {
        let once = SearchText::new(&text);
        prop_assert_eq!(SearchText::new(&once.stored()), once);
    }

    #[test]
    fn every_word_of_a_post_finds_it(text in TEXTS) {
        for word in text.split_whitespace().chain([&*text]).filter(|word| SearchTerm::parse(word).is_ok()) {
            prop_assert!(finds(&text, word), "{:?} in {:?}", word, text);
        }
    }

    #[test]
    fn every_prefix_of_three_characters_finds_a_post(text in TEXTS) {
        let stored = analyzed(&text);
        for word in stored.split_whitespace() {
            let ends = word.char_indices().skip(3).map(|(at, _)| at).chain([word.len()]);
            for prefix in ends.map(|end| &word[..end]).filter(|prefix| SearchText::new(prefix).stored().trim() == *prefix) {
                prop_assert!(finds(&text, prefix), "{:?} in {:?}", prefix, text);
            }
        }
    }
}

#[tokio::test]
async fn search_matches_all_words_in_any_order() {
    let app = posted(&["Cloud is (very) fun!", "The cloud of Oort", "I am out of prune juice"]).await;
    assert_eq!(search(&app, "cloud").await, ["The cloud of Oort", "Cloud is (very) fun!"]);
    assert_eq!(search(&app, "FUN cloud").await, ["Cloud is (very) fun!"]);
    assert_eq!(search(&app, "fun clo").await, ["Cloud is (very) fun!"]);
    for term in ["pru", "prun", "prune", "prune juice", "of out", "i am", "am"] {
        assert_eq!(search(&app, term).await.last().unwrap(), "I am out of prune juice", "{term}");
    }
    for term in ["p", "pr", "a", "o", "fu cloud", "fun clo u", "clouds", "prunes", "une", "cloud juice"] {
        assert_eq!(search(&app, term).await, [""; 0], "{term}");
    }
}

/// Posts with terms that find them and terms that find nothing.
const SCRIPTS: [(&str, &[&str], &[&str]); 22] = [
    ("Grüße aus der Straße", &["GRUSSE", "grüsse", "strasse", "STRASSE aus", "straß"], &["grusze", "raße"]),
    ("un café à İzmir", &["cafe", "CAFE\u{301}", "café a", "izmir", "IZMIR", "caf"], &["ca", "afe"]),
    ("l’eau n'est", &["l'eau", "l’eau", "L`EAU", "eau", "n’est", "est"], &["leau", "ea"]),
    ("Don't panic", &["don't", "don’t", "DON'T PANIC", "don", "pan"], &["panik"]),
    ("Łódź i cœur", &["lodz", "ŁÓDŹ", "coeur", "cœur"], &["łodż i serce"]),
    ("Σίσυφος ήταν εδώ", &["ΣΊΣΥΦΟΣ", "σισυφος", "σίσυφοσ", "σισ", "ηταν"], &["ισυφος"]),
    ("Ёлка и мой м’який", &["елка", "ЁЛКА", "мой", "МОЙ", "м'який", "мякий"], &["мои", "лка"]),
    ("مُحَمَّد أحمد", &["محمد", "مُحمد", "احمد", "أَحمد"], &["حمد"]),
    ("שָׁלוֹם לצה״ל", &["שלום", "שָׁלוֹם", "שלו", "לצה\"ל"], &["לום"]),
    ("नमस्ते दुनिया", &["नमस्ते", "नमस", "दुनिया"], &["नमसते", "दनय"]),
    ("தமிழ் மொழி", &["தமிழ்", "தமிழ", "மொழி"], &["தமழ", "மழ"]),
    ("สวัสดีชาวโลก", &["สวัสดี", "ชาว", "โลก", "ช"], &["สวสด", "ฮ"]),
    ("ខ្ញុំស្រឡាញ់ភាសាខ្មែរ", &["ខ្មែរ", "ភាសា"], &["ខមរ"]),
    ("မြန်မာစာ", &["မြန်မာ", "စာ"], &["မနမစ"]),
    ("東京都の天気。2026年", &["東京", "東京都", "京都", "天", "天気 東京", "2026年", "202"], &["京東", "都天", "20"]),
    ("ひらがなで", &["ひらがな", "がな", "が"], &["ひらかな", "か"]),
    ("ｽｰﾊﾟｰﾏｰｹｯﾄ と ガス", &["マーケット", "スーパー", "ﾏｰｹｯﾄ", "ガ"], &["マケット", "カス", "ハ"]),
    ("서울에서 슈퍼마켓", &["서울", "마켓", "서", "서울 슈퍼"], &["울서", "하"]),
    ("საქართველო", &["საქართველო", "ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ", "საქ"], &["სა", "ართ"]),
    ("Երևան և լուսին", &["ԵՐԵՒԱՆ", "երևան", "լուս", "եւ"], &["ևան"]),
    ("👍🏽 thanks 👩🏽\u{200d}💻🇫🇷", &["👍", "👍🏿", "👍\u{fe0f} tha", "👩\u{200d}💻", "🇫🇷", "🇫🇷👍"], &["💻", "🇩🇪", "👎"]),
    ("ＦＵＬＬ width ﬁnds", &["full", "ＷＩＤＴＨ", "finds", "fin"], &["ul"]),
];

#[tokio::test]
async fn search_matches_every_script() {
    let app = posted(&SCRIPTS.map(|(post, ..)| post)).await;
    for (post, found, not_found) in SCRIPTS {
        for term in found {
            assert_eq!(search(&app, term).await, [post], "{term}");
        }
        for term in not_found {
            assert_eq!(search(&app, term).await, [""; 0], "{term} in {post}");
        }
    }
}

#[tokio::test]
async fn every_character_of_a_long_post_finds_it() {
    let long = ideographs();
    let app = posted(&["一丁 短", &long, "no ideograph"]).await;
    assert_eq!(search(&app, "一丁").await, [&*long, "一丁 短"]);
    let characters: Vec<char> = long.chars().collect();
    for at in [31, 32, 39, 40, 100, 278] {
        let pair: String = characters[at..at + 2].iter().collect();
        assert_eq!(search(&app, &pair).await, [&*long], "{at}");
        assert_eq!(search(&app, &pair[..3]).await, [&*long], "{at}");
    }
}

#[tokio::test]
async fn pages_of_two_lists_have_no_repeats() {
    let long: String = ideographs().chars().skip(1).collect();
    let texts: Vec<_> =
        (0..23).map(|number| if number % 3 == 0 { format!("{long}一") } else { format!("一 {number}") }).collect();
    let app = posted(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for limit in [1, 4, 100] {
        let pages = app.pages(None, "/api/activities/search", &format!("?limit={limit}&term=%E4%B8%80")).await;
        let found: Vec<_> = pages.iter().flat_map(Answer::messages).collect();
        assert_eq!(found, texts.iter().rev().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn deleted_post_leaves_no_index_item() {
    let mut app = TestApp::new().await;
    let before = app.contents().await;
    let long = ideographs();
    for (number, message) in (1..).zip(["Don't 👍🏽 東京 of prune", &long]) {
        let post = app.posted(hours(1), number, message, "1-day").await;
        app.settle().await;
        assert_ne!(app.contents().await, before);
        app.delete_item(app.key(post.id)).await;
        app.settle().await;
        assert_eq!(app.contents().await, before);
    }
}

#[tokio::test]
async fn search_results_have_current_list_fields() {
    let app = posted(&["Cloud is (very) fun!"]).await;
    let found = app.get("/api/activities/search?term=cloud").await;
    let expected = json!([{
        "uuid": "01a202e9-b47a-7000-8000-000000000000", "display_name": "Andrew Brown", "handle": "andrewbrown",
        "message": "Cloud is (very) fun!", "replies_count": 0, "reposts_count": 0, "likes_count": 0,
        "expires_at": "2026-11-23T11:00:00.250Z", "created_at": "2026-11-22T11:00:00.250Z",
    }]);
    assert_eq!(found.body, expected);
    assert_eq!(app.get_as(ANDREW, "/api/activities/search?term=cloud").await.body, expected);
}

#[tokio::test]
async fn search_hides_expired_and_deleted_posts_at_once() {
    let mut app = posted(&["gone soon", "gone now"]).await;
    let [_, now] = ["gone soon", "gone now"];
    let home = app.get("/api/activities/home").await;
    let uuid = home.body.as_array().unwrap().iter().find(|row| row["message"] == now).unwrap()["uuid"].clone();
    let id = cruddur::domain::Id::parse(uuid.as_str().unwrap()).unwrap();
    app.delete_item(app.key(id)).await;
    assert_eq!(search(&app, "gone").await, ["gone soon"]);
    app.settle().await;
    app.pass(hours(24));
    assert_eq!(search(&app, "gone").await, [""; 0]);
}

#[tokio::test]
async fn search_pages_have_no_repeats() {
    let messages: Vec<String> = (0..57).map(|number| format!("число number {number}")).collect();
    let app = posted(&messages.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let query = "?limit=10&term=%D1%87%D0%B8%D1%81%D0%BB%D0%BE+number";
    let pages = app.pages(None, "/api/activities/search", query).await;
    let found: Vec<_> = pages.iter().flat_map(Answer::messages).collect();
    assert_eq!(found, messages.iter().rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn term_with_the_most_words_is_accepted() {
    let message: String = (0..70).map(|number| format!("w{number} ")).collect();
    let app = posted(&[message.trim()]).await;
    assert_eq!(search(&app, message.trim()).await, [message.trim()]);
    let many: String = (0..140).map(|number| char::from_u32(0x4E00 + number).unwrap()).flat_map(|c| [c, ' ']).collect();
    assert_eq!(search(&app, &many).await, [""; 0]);
    let emoji: String = (0..280).map(|number| char::from_u32(0x1F400 + number).unwrap()).collect();
    assert_eq!(search(&app, &emoji).await, [""; 0]);
}
