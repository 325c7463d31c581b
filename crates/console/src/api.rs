//! The JSON API of the page and of programs.

pub(crate) mod events;
pub(crate) mod explore;
pub(crate) mod filters;
pub(crate) mod guard;
pub(crate) mod list;
pub(crate) mod problem;
pub(crate) mod routes;
