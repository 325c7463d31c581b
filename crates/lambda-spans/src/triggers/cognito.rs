//! Amazon Cognito user pools: a step of signing up or in. User data is not read.

use super::event::{EventFields, present, text};
use super::trigger::Trigger;
use crate::attributes::{AWS_COGNITO_TRIGGER_SOURCE, AWS_COGNITO_USER_POOL_ID};

pub(super) fn trigger(event: &EventFields<'_>) -> Option<Trigger> {
    // `PreSignUp_SignUp` and `eu-west-1_AbCdEf123`
    let source = text(event.trigger_source).filter(|source| source.contains('_'))?;
    let pool = text(event.user_pool)?;
    present(event.request)?;
    let mut trigger = Trigger { name: Some(source.clone()), ..Trigger::faas("other") };
    trigger.set(AWS_COGNITO_TRIGGER_SOURCE, source);
    trigger.set(AWS_COGNITO_USER_POOL_ID, pool);
    Some(trigger)
}
