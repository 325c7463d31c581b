use std::error::Error;
use std::time::Duration;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

use super::deadline;
use super::keys::Entity;

type Source = Box<dyn Error + Send + Sync>;

/// The error of a store operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A condition failed. Nothing was written.
    #[error("the condition on the {} ({}) failed", .on.name, .on.pk)]
    Conflict {
        /// The entity of the item with the condition.
        on: Entity,
    },
    /// The idempotency key belongs to a different request. Nothing was written.
    #[error("the idempotency key was used for a different request")]
    KeyReused,
    /// Too many requests, or concurrent transactions on one item. Can be retried.
    #[error("DynamoDB throttled the request")]
    Throttled {
        /// The SDK's error.
        source: Source,
    },
    /// A timeout, a connection error or a server error. Can be retried; the write may have succeeded.
    #[error("DynamoDB is unavailable")]
    Unavailable {
        /// The SDK's error.
        source: Source,
    },
    /// The deadline was exceeded. Can be retried; the write may have succeeded.
    #[error("the deadline of the DynamoDB request was exceeded")]
    DeadlineExceeded {
        /// The SDK's error.
        source: Source,
    },
    /// An item does not match its entity. The error does not contain the value, since it may be private.
    #[error("{} item ({}): attribute `{attribute}` is missing or has the wrong form", .entity.name, .entity.pk)]
    Corrupt {
        /// The entity of the item.
        entity: Entity,
        /// The missing or malformed attribute.
        attribute: &'static str,
    },
    /// The table was written by an incompatible version of the program. Nothing can be read or written.
    #[error(
        "the table has layout {found}, and this version of the program requires layout {expected}: deploy the version \
         that wrote the table, or set TABLE_NAME to a new table"
    )]
    OtherLayout {
        /// The version of the table's layout.
        found: u32,
        /// The version that this program reads and writes.
        expected: u32,
    },
    /// DynamoDB rejected the request as invalid. Permanent.
    #[error("DynamoDB rejected the request as invalid")]
    Invalid {
        /// The SDK's error.
        source: Source,
    },
    /// DynamoDB rejected the request, for example for missing permissions or a missing table.
    #[error("DynamoDB rejected the request")]
    Rejected {
        /// The SDK's error.
        source: Source,
    },
}

impl StoreError {
    /// Returns whether the condition on an item of that entity failed.
    #[must_use]
    pub fn is_conflict_on(&self, entity: Entity) -> bool {
        matches!(self, Self::Conflict { on } if *on == entity)
    }

    /// Returns whether every retry would fail too.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Invalid { .. })
    }

    /// Returns the error of a batch of which DynamoDB left a part unprocessed in every request.
    pub(super) fn unprocessed() -> Self {
        Self::Throttled { source: "a part of the batch was not processed".into() }
    }

    /// Treats a failed condition as success, for updates whose condition fails only if they are obsolete.
    pub(super) fn unless_unchanged<T>(result: Result<T, SdkError<UpdateItemError, HttpResponse>>) -> Result<(), Self> {
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// Converts the error of a transaction. `entities` are those of its writes, in that order.
    pub(super) fn from_transaction(
        error: SdkError<TransactWriteItemsError, HttpResponse>,
        entities: &[Entity],
    ) -> Self {
        let canceled = match (error.as_service_error(), entities) {
            (Some(TransactWriteItemsError::TransactionCanceledException(canceled)), _) => canceled,
            // The client request token was used for a different transaction.
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
        if busy { Self::Throttled { source } } else { Self::Rejected { source } }
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
            _ if !answered && !deadline::allows(Duration::ZERO) => Self::DeadlineExceeded { source },
            "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "TransactionInProgressException" => Self::Throttled { source },
            "ValidationException" => Self::Invalid { source },
            _ if !answered || answer.is_some_and(|status| status >= 500) => Self::Unavailable { source },
            _ => Self::Rejected { source },
        }
    }
}

impl From<BuildError> for StoreError {
    fn from(error: BuildError) -> Self {
        Self::Invalid { source: Box::new(error) }
    }
}
