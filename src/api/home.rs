use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::Response;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::activity_body::{ActivityResponse, ReplyResponse};
use super::error::ApiError;
use super::fields::rfc3339;
use super::kept_home::{Answer, KeptHome};
use super::pagination::{MAX_LIMIT, PageRequest, Paginator, record_result_length};
use super::principal::Principal;
use super::{AppState, Compat};
use crate::domain::Post;
use crate::store::StoreError;

/// Lists unexpired posts, newest first. For an authenticated user, each post has `liked`.
///
/// The client of the original's first weeks is anonymous here: every request acts as the same user, and it does not show
/// likes.
pub(super) async fn list(
    State(state): State<AppState>,
    Extension(kept): Extension<KeptHome>,
    principal: Option<Extension<Principal>>,
    page: PageRequest,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let principal = principal.map(|Extension(principal)| principal).filter(|_| state.compat != Compat::Week2);
    let span = info_span!(
        "home-activities",
        app.now = rfc3339(now),
        app.result_length = Empty,
        app.home_kept = Empty,
        app.user_id = principal.as_ref().map(|principal| state.keys.user_id(&principal.sub)),
    );
    async {
        let page = Paginator::open(&state, page, principal.as_ref(), now)?;
        match &principal {
            Some(principal) => of_user(&state, principal, &page).await,
            None => anonymous(&state, &kept, &page).await,
        }
    }
    .instrument(span)
    .await
}

async fn of_user(state: &AppState, principal: &Principal, page: &Paginator<'_>) -> Result<Response, ApiError> {
    let (found, liked) = state.store.home_with_likes(&principal.sub, page.now, page.limit, page.before).await?;
    record_result_length(found.rows.len());
    let mut rows: Vec<_> = found.rows.iter().map(ActivityResponse::from).collect();
    for (row, post) in rows.iter_mut().zip(&found.rows) {
        row.liked = Some(liked.contains(&post.id));
    }
    Ok(page.respond(rows, found.next))
}

/// Returns a page that is the same for all anonymous users. The first page is kept for a second.
async fn anonymous(state: &AppState, kept: &KeptHome, page: &Paginator<'_>) -> Result<Response, ApiError> {
    // Counted before the table is read.
    let writes = state.store.home_writes();
    let is_first = page.before.is_none();
    let answer = match is_first.then(|| kept.get(page.limit, page.now, writes)).flatten() {
        Some(answer) => {
            Span::current().record("app.home_kept", true);
            answer
        }
        None => {
            let (answer, expires_at) = read(state, page).await?;
            if is_first {
                kept.put(page.limit, page.now, writes, expires_at, &answer);
            }
            answer
        }
    };
    record_result_length(answer.rows);
    Ok(respond(answer))
}

/// Returns the page, and the time at which its first post expires.
async fn read(state: &AppState, page: &Paginator<'_>) -> Result<(Answer, Option<Timestamp>), ApiError> {
    let found = state.store.home(page.now, page.limit, page.before).await?;
    let mut rows: Vec<_> = found.rows.iter().map(ActivityResponse::from).collect();
    if state.compat == Compat::Week2 {
        add_replies(state, &mut rows, &found.rows, page.now).await?;
    }
    // Writing strings and numbers to memory cannot fail.
    let body = serde_json::to_vec(&rows).unwrap_or_default().into();
    let answer = Answer { body, link: page.link(found.next), rows: rows.len() };
    Ok((answer, found.rows.iter().map(|post| post.expires_at).min()))
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.extend(answer.link.map(|link| (LINK, link)));
    response
}

/// Adds the replies to each post, as the original's first pages show them.
async fn add_replies(
    state: &AppState,
    rows: &mut [ActivityResponse],
    posts: &[Post],
    now: Timestamp,
) -> Result<(), StoreError> {
    let replies = posts.iter().map(async |post| match post.counters.replies {
        0 => Ok(Vec::new()),
        _ => Ok::<_, StoreError>(state.store.replies(post.id, now, MAX_LIMIT, None).await?.rows),
    });
    for (row, replies) in rows.iter_mut().zip(try_join_all(replies).await?) {
        row.replies = Some(replies.iter().map(ReplyResponse::from).collect());
    }
    Ok(())
}
