//! Amazon Cognito user pools: a step of signing up or in. User data is not read.

use super::event::{EventFields, text};
use super::trigger::Trigger;
use crate::attributes::{AWS_COGNITO_TRIGGER_SOURCE, AWS_COGNITO_USER_POOL_ID};

pub(super) fn trigger(event: &EventFields<'_>) -> Option<Trigger> {
    let (source, pool) = (text(event.trigger_source)?, text(event.user_pool)?);
    let mut trigger = Trigger { name: Some(source.clone()), ..Trigger::faas("other") };
    trigger.set(AWS_COGNITO_TRIGGER_SOURCE, source);
    trigger.set(AWS_COGNITO_USER_POOL_ID, pool);
    Some(trigger)
}
