/// Which of the original's contracts is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// That of its last week.
    #[default]
    Later,
    /// That of its weeks 0 to 2: nobody signs in, and a user's feed is a plain array.
    Week2,
}
