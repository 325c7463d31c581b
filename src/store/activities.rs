use super::idempotency::{Made, Once, Written};
use super::items::{self, AUTHOR_SUB, EXPIRES_MS, Item, MESSAGE};
use super::keys::ACTIVITY;
use super::{Store, StoreError};
use crate::domain::{Activity, Profile};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};

/// What nobody changes of a post.
const WRITTEN_ONCE: [&str; 3] = [AUTHOR_SUB, EXPIRES_MS, MESSAGE];

impl Store {
    /// Adds a post of `writer`, under the key at most once. The same post again, as after a lost answer, is no error.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`ACTIVITY`] when the id is taken, [`StoreError::KeyReused`]; and those of
    /// every write.
    pub async fn create_activity(
        &self,
        writer: &Profile,
        activity: &Activity,
        once: Option<&Once>,
    ) -> Result<Written, StoreError> {
        let item = items::of_activity(writer, activity);
        let author = activity.author().clone();
        let made = Made { id: activity.id(), author, expires_at: None, message_group_uuid: None };
        match once {
            Some(_) => self.commit_once(once, made, |transaction| Ok(transaction.put_new(ACTIVITY, item)?)).await,
            // One item needs no transaction, which costs twice as much.
            None => self.put_activity(item).await.map(|()| Written::now(made)),
        }
    }

    async fn put_activity(&self, item: Item) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // An earlier attempt of the client has come through; others may have liked the post already.
                Some(PutItemError::ConditionalCheckFailedException(taken))
                    if taken
                        .item()
                        .is_some_and(|taken| WRITTEN_ONCE.iter().all(|name| taken.get(*name) == item.get(*name))) =>
                {
                    Ok(())
                }
                Some(PutItemError::ConditionalCheckFailedException(_)) => Err(StoreError::Conflict { on: ACTIVITY }),
                Some(_) | None => Err(error.into()),
            },
        }
    }
}
