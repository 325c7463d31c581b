//! Amazon Cognito user pools: a step of signing up or in. What it says of the user is not read.

use super::event::{EventFields, text};
use super::trigger::Trigger;

pub(super) fn trigger(event: &EventFields<'_>) -> Option<Trigger> {
    let (source, pool) = (text(event.trigger_source)?, text(event.user_pool)?);
    let mut trigger = Trigger { name: Some(source.clone()), ..Trigger::faas("other") };
    trigger.set("aws.cognito.trigger_source", source);
    trigger.set("aws.cognito.user_pool.id", pool);
    Some(trigger)
}
