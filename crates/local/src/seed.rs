//! The demo users and posts.
//!
//! If the process ends while it creates them, the next start completes them. While they are incomplete, a file contains the
//! time to which their times are relative, so that the next start derives the same ids.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cruddur::clock::Clock;
use cruddur::domain::{Author, Counters, Handle, Id, InvalidHandle, Message, Post, Profile, Reaction};
use cruddur::store::{Store, StoreError, keys};
use jiff::{SignedDuration, Timestamp};
use uuid::{Uuid, uuid};

use crate::data_dir::{remove_if_exists, write_private};

/// The demo data cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store failed.
    #[error("the demo data cannot be stored")]
    Store(#[from] StoreError),
    /// No post is visible right after the creation of the demo posts.
    #[error("no post is visible right after the creation of the demo posts")]
    Gone,
    /// The file that marks incomplete demo data cannot be written or deleted.
    #[error("the file {} cannot be written or deleted", file.display())]
    File {
        /// The path of the file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A demo user's handle is invalid.
    #[error("a demo user's handle is invalid")]
    Handle(#[from] InvalidHandle),
}

/// A user that the local server creates.
#[derive(Clone, Copy, Debug)]
pub struct DemoUser {
    /// The unique handle.
    pub handle: &'static str,
    /// The display name.
    pub display_name: &'static str,
    uuid: Uuid,
}

const fn user(handle: &'static str, display_name: &'static str, uuid: Uuid) -> DemoUser {
    DemoUser { handle, display_name, uuid }
}

/// The user of all requests with `--compat week2`.
pub const ANDREW: DemoUser = user("andrewbrown", "Andrew Brown", uuid!("0c0d3a4e-6f0b-4b52-9d5c-7a1f2e8b6a01"));
const ALT: DemoUser = user("altbrown", "Alt Brown", uuid!("4b8f1d2a-93c7-4e0d-8a6b-1c5d7e9f0b02"));
const BAYKO: DemoUser = user("bayko", "Andrew Bayko", uuid!("7e2c9b60-15ad-4f38-b1e4-6d0a8c3f5e03"));
const LONDO: DemoUser = user("londo", "Londo Mollari", uuid!("a5d41f73-28be-4c96-9f07-3b6e0d9c2a04"));
const WORF: DemoUser = user("worf", "Worf", uuid!("c93a7e15-4d60-4b8f-a2d1-5f8c1b7e0d05"));
const GAREK: DemoUser = user("garek", "Garek", uuid!("e16b0c88-7f32-4d5a-8c49-0a9d4e6f3b06"));

/// All demo users.
pub const USERS: [DemoUser; 6] = [ANDREW, ALT, BAYKO, LONDO, WORF, GAREK];

impl DemoUser {
    /// Returns the user's subject (`sub`) in the user pool.
    pub fn sub(self) -> String {
        format!("demo-{}", self.handle)
    }

    /// Returns an id whose random part is fixed per user: a demo user creates at most one post at a time.
    fn id(self, at: Timestamp) -> Id {
        let [_, _, _, _, _, _, bytes @ ..] = self.uuid.into_bytes();
        Id::new(at, bytes)
    }

    fn profile(self) -> Result<Profile, InvalidHandle> {
        let author = self.author()?;
        Ok(Profile { sub: self.sub(), author, bio: String::new(), named_at: Timestamp::UNIX_EPOCH })
    }

    fn author(self) -> Result<Author, InvalidHandle> {
        Ok(Author {
            user_uuid: self.uuid,
            handle: Handle::parse(self.handle)?,
            display_name: self.display_name.to_owned(),
        })
    }
}

struct DemoPost {
    author: DemoUser,
    message: &'static str,
    age: SignedDuration,
    left: SignedDuration,
}

const CLOUD: DemoPost = DemoPost {
    author: ANDREW,
    message: "Cloud is (very) fun!",
    age: SignedDuration::from_hours(2 * 24),
    left: SignedDuration::from_hours(5 * 24),
};
const PRUNE_JUICE: DemoPost = DemoPost {
    author: WORF,
    message: "I am out of prune juice",
    age: SignedDuration::from_hours(7 * 24),
    left: SignedDuration::from_hours(9 * 24),
};
const TAILOR: DemoPost = DemoPost {
    author: GAREK,
    message: "My dear doctor, I am just simple tailor",
    age: SignedDuration::from_hours(1),
    left: SignedDuration::from_hours(12),
};
const HONOR: &str = "This post has no honor!";

/// Creates the missing demo users, and the demo posts if the home feed is empty or an earlier call was interrupted. The file
/// `unfinished` exists until the demo posts are complete.
///
/// Returns the id of a visible post.
///
/// # Errors
/// If the store fails, or the file cannot be written.
pub async fn seed(store: &Store, clock: &Clock, unfinished: &Path) -> Result<Id, SeedError> {
    for user in USERS {
        if store.profile(&user.sub()).await?.is_none() {
            store.create_profile(&user.profile()?).await?;
        }
    }
    let now = clock.now();
    let failed = |source| SeedError::File { file: unfinished.to_owned(), source };
    let started_at = if store.home(now, 1, None).await?.rows.is_empty() {
        write_private(unfinished, now.to_string().as_bytes()).map_err(failed)?;
        Some(now)
    } else {
        stored_time(unfinished)
    };
    let mut replied = None;
    if let Some(started_at) = started_at {
        replied = create_posts(store, started_at, now).await?;
        remove_if_exists(unfinished).map_err(failed)?;
    }
    if let Some(post) = replied {
        return Ok(post);
    }
    let home = store.home(now, 1, None).await?;
    home.rows.first().map(|post| post.id).ok_or(SeedError::Gone)
}

fn stored_time(file: &Path) -> Option<Timestamp> {
    fs::read_to_string(file).ok()?.parse().ok()
}

/// Creates those of the demo posts that are live at `now`, with times relative to `started_at`. Existing ones stay as they
/// are. Returns the id of the post with a reply, if it is live.
async fn create_posts(store: &Store, started_at: Timestamp, now: Timestamp) -> Result<Option<Id>, SeedError> {
    for post in [PRUNE_JUICE, TAILOR, CLOUD] {
        let activity = post.activity(started_at)?;
        if activity.is_live(now) {
            store.create_post(&post.author.profile()?, &activity, None).await?;
        }
    }
    let Some(cloud) = store.post(CLOUD.activity(started_at)?.id, now).await? else { return Ok(None) };
    let replied_at = started_at - CLOUD.age + SignedDuration::from_hours(1);
    let reply = Post::reply(WORF.id(replied_at), &cloud.post, WORF.author()?, Message::unchecked(HONOR.to_owned()));
    match store.create_reply(&WORF.profile()?, &cloud, &reply, None).await {
        Err(error) if !error.is_conflict_on(keys::REPLY) => return Err(error.into()),
        // An interrupted start has created the reply.
        Ok(_) | Err(_) => {}
    }
    for user in [ALT, BAYKO, LONDO, WORF, GAREK] {
        store.add_reaction(Reaction::Like, &user.profile()?, &cloud, replied_at).await?;
    }
    Ok(Some(cloud.post.id))
}

impl DemoPost {
    fn activity(&self, started_at: Timestamp) -> Result<Post, InvalidHandle> {
        Ok(Post {
            id: self.author.id(started_at - self.age),
            parent: None,
            author: self.author.author()?,
            message: Message::unchecked(self.message.to_owned()),
            expires_at: started_at + self.left,
            counters: Counters::default(),
        })
    }
}
