//! Names the error of a handler for `error.type`.

use std::any::{Any, TypeId, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use lambda_runtime::Diagnostic;

use super::exception::Exception;

/// The error of a timeout layer.
const TIMEOUT: &str = "timeout";

/// The error of a handler whose type is hidden by a box.
const BOXED: &str = "handler_error";

/// An error that names itself for `error.type`, as the response extension `ErrorType` does for HTTP responses.
///
/// Use a low-cardinality word such as `throttled`, never a message. Register the type once in `main`, because most
/// handlers return it in a box. The name then applies wherever a handler returns the error: as its own type, in a
/// `Box<dyn Error>` such as [`lambda_runtime::Error`], or as the source of another error in a box.
///
/// An `anyhow::Error` hides its content. Convert it by its `reallocate_into_boxed_dyn_error_without_backtrace`.
///
/// ```
/// use std::borrow::Cow;
/// use std::fmt;
///
/// use lambda_runtime::{Error, LambdaEvent};
/// use lambda_spans::TypedError;
/// use serde_json::Value;
///
/// #[derive(Debug)]
/// enum StoreError {
///     Throttled,
///     NotFound,
/// }
///
/// impl fmt::Display for StoreError {
///     fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
///         formatter.write_str("the store failed")
///     }
/// }
///
/// impl std::error::Error for StoreError {}
///
/// impl TypedError for StoreError {
///     fn error_type(&self) -> Cow<'static, str> {
///         match self {
///             Self::Throttled => "throttled".into(),
///             Self::NotFound => "not_found".into(),
///         }
///     }
/// }
///
/// async fn handle(_: LambdaEvent<Value>) -> Result<(), Error> {
///     Err(StoreError::Throttled)?
/// }
///
/// // In `main`:
/// lambda_spans::register_typed_error::<StoreError>();
/// ```
pub trait TypedError: Error + 'static {
    /// Returns the value of `error.type`.
    fn error_type(&self) -> Cow<'static, str>;
}

/// How to find a registered type.
#[derive(Clone, Copy)]
struct Registered {
    id: TypeId,
    in_box: fn(&(dyn Error + 'static)) -> Option<Cow<'static, str>>,
    bare: fn(&dyn Any) -> Option<Cow<'static, str>>,
}

/// Only a handler that failed reads it.
static REGISTERED: Mutex<Vec<Registered>> = Mutex::new(Vec::new());

/// Registers an error type that names itself for `error.type`. See [`TypedError`].
pub fn register_typed_error<E: TypedError>() {
    let id = TypeId::of::<E>();
    let mut all = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if all.iter().all(|known| known.id != id) {
        all.push(Registered {
            id,
            in_box: |error| error.downcast_ref::<E>().map(TypedError::error_type),
            bare: |error| error.downcast_ref::<E>().map(TypedError::error_type),
        });
    }
}

fn registered(find: impl Fn(&Registered) -> Option<Cow<'static, str>>) -> Option<Cow<'static, str>> {
    // Copied, because the code of an error runs without the lock.
    let all = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.iter().find_map(find)
}

/// A handler's error, as far as its span contains it.
#[derive(Debug)]
pub(crate) struct HandlerError {
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) exception: Exception,
}

impl HandlerError {
    pub(crate) fn of<E: Debug + 'static>(error: &E) -> Self {
        if let Some(diagnostic) = (error as &dyn Any).downcast_ref::<Diagnostic>() {
            let error_type: Cow<'static, str> = Cow::Owned(diagnostic.error_type.clone());
            let message = Some(diagnostic.error_message.clone());
            return Self { exception: Exception::new(error_type.clone(), message, None), error_type };
        }
        let name = type_name::<E>();
        // A box hides the type of its content.
        let fallback = if name.contains("Box<") || name.starts_with('&') { BOXED } else { name };
        let exception = Exception::from_handler(error, fallback);
        Self { error_type: named(error).unwrap_or(Cow::Borrowed(fallback)), exception }
    }

    /// Describes an error that becomes a `Diagnostic`, whose type is the error's type if the function chose it.
    pub(crate) fn diagnosed<E: Debug + Into<Diagnostic> + 'static>(error: E) -> (Self, Diagnostic) {
        let mut described = Self::of(&error);
        let diagnostic: Diagnostic = error.into();
        // The conversions of `lambda_runtime` write the type of a reference to the error, such as that of a box.
        if ![type_name::<E>(), type_name::<&E>(), ""].contains(&diagnostic.error_type.as_str()) {
            described.error_type = Cow::Owned(diagnostic.error_type.clone());
        }
        (described, diagnostic)
    }
}

/// Returns the name that an error or its nearest source gives, and `timeout` for the error of a timeout layer.
fn named<E: Debug + 'static>(error: &E) -> Option<Cow<'static, str>> {
    let any: &dyn Any = error;
    if let Some(boxed) = boxed(any) {
        return std::iter::successors(Some(boxed), |&error| error.source()).find_map(|error| {
            registered(|known| (known.in_box)(error)).or_else(|| is_elapsed(&error).then_some(Cow::Borrowed(TIMEOUT)))
        });
    }
    let is_timeout = || type_name::<E>().ends_with("::Elapsed") && is_elapsed(error);
    registered(|known| (known.bare)(any)).or_else(|| is_timeout().then_some(Cow::Borrowed(TIMEOUT)))
}

fn boxed(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send>>() {
        return Some(&**boxed);
    }
    error.downcast_ref::<Box<dyn Error>>().map(|boxed| &**boxed)
}

/// Returns whether the error is the `Elapsed` of tower or tokio. A function may use another version of tower than this
/// crate, so that its type is another.
pub(crate) fn is_elapsed(error: &dyn Debug) -> bool {
    format!("{error:?}") == "Elapsed(())"
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::time::Duration;

    use super::*;

    type BoxError = Box<dyn Error + Send + Sync>;

    #[derive(Debug)]
    enum StoreError {
        Throttled,
        Other(BoxError),
    }

    impl fmt::Display for StoreError {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("canary")
        }
    }

    impl Error for StoreError {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            if let Self::Other(source) = self { Some(&**source) } else { None }
        }
    }

    /// Not registered.
    #[derive(Debug)]
    struct Outer(StoreError);

    impl fmt::Display for Outer {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("canary")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    impl TypedError for StoreError {
        fn error_type(&self) -> Cow<'static, str> {
            Cow::Borrowed(if let Self::Throttled = self { "throttled" } else { "store" })
        }
    }

    impl From<StoreError> for Diagnostic {
        fn from(error: StoreError) -> Self {
            Self { error_type: "StoreFailed".to_owned(), error_message: error.to_string() }
        }
    }

    fn type_of<E: Debug + 'static>(error: &E) -> String {
        HandlerError::of(error).error_type.into_owned()
    }

    async fn elapsed() -> tokio::time::error::Elapsed {
        tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await.unwrap_err()
    }

    #[test]
    fn registered_error_names_itself_in_any_box() {
        register_typed_error::<StoreError>();
        register_typed_error::<StoreError>();
        assert_eq!(type_of(&StoreError::Throttled), "throttled");
        assert_eq!(type_of::<BoxError>(&StoreError::Throttled.into()), "throttled");
        assert_eq!(type_of::<BoxError>(&Outer(StoreError::Throttled).into()), "throttled");
        assert_eq!(type_of::<Box<dyn Error + Send>>(&(Box::new(StoreError::Throttled) as _)), "throttled");
        assert_eq!(type_of::<Box<dyn Error>>(&StoreError::Other("x".into()).into()), "store");
    }

    #[test]
    fn unnamed_error_keeps_its_type() {
        assert_eq!(type_of::<BoxError>(&"canary".into()), "handler_error");
        assert_eq!(type_of(&"canary"), "handler_error");
        assert_eq!(type_of(&"canary".to_owned()), "alloc::string::String");
        assert_eq!(type_of(&std::io::Error::other("canary")), "std::io::error::Error");
    }

    #[tokio::test]
    async fn elapsed_timeout_is_a_timeout() {
        assert_eq!(type_of(&elapsed().await), "timeout");
        assert_eq!(type_of::<BoxError>(&elapsed().await.into()), "timeout");
        let nested: BoxError = std::io::Error::other(elapsed().await).into();
        assert_eq!(type_of(&nested), "handler_error", "an I/O error hides its own cause");
    }

    #[test]
    fn diagnostic_of_the_handler_names_the_error() {
        let diagnostic = Diagnostic { error_type: "Conflict".to_owned(), error_message: "canary".to_owned() };
        assert_eq!(type_of(&diagnostic), "Conflict");
        let (described, diagnostic) = HandlerError::diagnosed(StoreError::Throttled);
        assert_eq!(described.error_type, "StoreFailed");
        assert_eq!(diagnostic.error_message, "canary");
    }

    #[tokio::test]
    async fn default_diagnostic_names_no_error() {
        let type_of = |error: BoxError| HandlerError::diagnosed(error).0.error_type;
        assert_eq!(type_of("canary".into()), "handler_error");
        assert_eq!(type_of(elapsed().await.into()), "timeout");
        assert_eq!(HandlerError::diagnosed("canary".to_owned()).0.error_type, "alloc::string::String");
    }
}
