use std::error::Error;
use std::time::Duration;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

use super::deadline;
use super::keys::Entity;

type Source = Box<dyn Error + Send + Sync>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A write's condition does not hold; nothing was written.
    #[error("the condition on the {} ({}) does not hold", .on.name, .on.pk)]
    Conflict {
        /// The item whose condition it is.
        on: Entity,
    },
    /// The idempotency key stands for another request already; nothing was written.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Too many requests, or two transactions on one item at once. Worth another try.
    #[error("DynamoDB is too busy")]
    Throttled {
        /// DynamoDB's answer.
        source: Source,
    },
    /// No answer in time, or none at all. Worth another try; a write may have happened.
    #[error("DynamoDB does not answer")]
    Unavailable {
        /// What went wrong.
        source: Source,
    },
    /// There was no time left to wait for an answer. Worth another try; a write may have happened.
    #[error("there was no time left for DynamoDB to answer")]
    OutOfTime {
        /// What was not begun, or given up.
        source: Source,
    },
    /// An item that does not have the form its keys promise. The value is not named: it may be private.
    #[error("{} item ({}): attribute `{attribute}` is missing or has the wrong form", .entity.name, .entity.pk)]
    Corrupt {
        /// The kind of item.
        entity: Entity,
        /// The attribute at fault.
        attribute: &'static str,
    },
    /// A request that can never succeed, whoever sends it and whenever: it breaks a rule of DynamoDB's.
    #[error("DynamoDB finds the request invalid")]
    Invalid {
        /// DynamoDB's answer.
        source: Source,
    },
    /// A request that cannot succeed as things are: no permission, no such table.
    #[error("DynamoDB refuses the request")]
    Refused {
        /// DynamoDB's answer.
        source: Source,
    },
}

impl StoreError {
    /// Whether the write failed by the condition on that kind of item.
    #[must_use]
    pub fn is_conflict_on(&self, entity: Entity) -> bool {
        matches!(self, Self::Conflict { on } if *on == entity)
    }

    /// Whether the same would fail again, however often and whenever it is tried.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Invalid { .. })
    }

    /// DynamoDB has again and again done only a part of what it was asked.
    pub(super) fn left_over() -> Self {
        Self::Throttled { source: "a part of the batch was left over".into() }
    }

    /// For an update whose condition fails only where there is nothing to do any more.
    pub(super) fn unless_unchanged<T>(result: Result<T, SdkError<UpdateItemError, HttpResponse>>) -> Result<(), Self> {
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// The error of a transaction whose writes are on `entities`, in that order; the first is the new item.
    pub(super) fn of_transaction(error: SdkError<TransactWriteItemsError, HttpResponse>, entities: &[Entity]) -> Self {
        let canceled = match (error.as_service_error(), entities) {
            (Some(TransactWriteItemsError::TransactionCanceledException(canceled)), _) => canceled,
            // The request's token was used, for something else, a moment ago.
            (Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)), [new, ..]) => {
                return Self::Conflict { on: *new };
            }
            _ => return error.into(),
        };
        let reasons = canceled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
        let failed = entities.iter().zip(reasons.clone()).find(|(_, reason)| *reason == "ConditionalCheckFailed");
        if let Some((entity, _)) = failed {
            return Self::Conflict { on: *entity };
        }
        let busy = reasons.clone().any(|reason| {
            matches!(reason, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
        });
        let source = Box::new(error);
        if busy { Self::Throttled { source } } else { Self::Refused { source } }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let answer = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let answered = error.as_service_error().is_some();
        let source = Box::new(error);
        match code.as_str() {
            _ if !answered && !deadline::allows(Duration::ZERO) => Self::OutOfTime { source },
            "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "TransactionInProgressException" => Self::Throttled { source },
            "ValidationException" => Self::Invalid { source },
            _ if !answered || answer.is_some_and(|status| status >= 500) => Self::Unavailable { source },
            _ => Self::Refused { source },
        }
    }
}

impl From<BuildError> for StoreError {
    fn from(error: BuildError) -> Self {
        Self::Invalid { source: Box::new(error) }
    }
}
