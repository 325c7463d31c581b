//! Recognizes axum's router, whose matched route only layers inside of it see.

use std::any::{TypeId, type_name};
use std::convert::Infallible;
use std::ptr;
use std::sync::Once;

use axum::Router;
use axum::routing::Route;

/// Returns a service as a plain router, if it is one.
#[expect(unsafe_code, reason = "`Any` would require services to be `'static`")]
pub(crate) fn as_router<S>(service: &mut S) -> Option<&mut Router> {
    let is_router = typeid::of::<S>() == TypeId::of::<Router>();
    // SAFETY: `S` is `Router`. Equal ids mean equal types up to lifetimes, and `Router` has no lifetime.
    is_router.then(|| unsafe { &mut *ptr::from_mut(service).cast::<Router>() })
}

/// Logs once that the routes of a router are unknown.
pub(crate) fn warn() {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| tracing::warn!("http.route is missing: the router is not of axum 0.8. Depend on axum 0.8"));
}

/// Returns whether `S` is a router, or a route of a router, of another version of axum.
pub(crate) fn is_of_other_axum<S>() -> bool {
    has_name_of_axum(type_name::<S>(), typeid::of::<S>())
}

/// Compares names, which are the same in every version of a crate, and ids, which differ.
fn has_name_of_axum(name: &str, id: TypeId) -> bool {
    let known = [
        (type_name::<Router>(), TypeId::of::<Router>()),
        (type_name::<Route<Infallible>>(), TypeId::of::<Route<Infallible>>()),
    ];
    known.iter().any(|known| known.0 == name && known.1 != id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_with_the_name_of_a_router_is_of_other_axum() {
        let other = TypeId::of::<()>();
        assert!(has_name_of_axum("axum::routing::Router", other));
        assert!(has_name_of_axum("axum::routing::route::Route", other));
        assert!(!has_name_of_axum("shop::Router", other));
    }

    #[test]
    fn router_of_this_axum_is_not_of_other_axum() {
        assert!(!is_of_other_axum::<Router>());
        assert!(!is_of_other_axum::<Route<Infallible>>());
        assert!(!is_of_other_axum::<Route<String>>());
        assert!(!is_of_other_axum::<&str>());
    }

    #[test]
    fn only_a_router_without_state_is_a_router() {
        assert!(as_router(&mut Router::<()>::new()).is_some());
        assert!(as_router(&mut Router::<String>::new()).is_none());
        assert!(as_router(&mut &mut Router::<()>::new()).is_none());
    }
}
