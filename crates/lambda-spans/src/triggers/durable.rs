//! Durable executions of Lambda: each step of an execution is an invocation.

use super::event::{EventFields, arn, present};
use super::trigger::Trigger;
use crate::attributes::AWS_LAMBDA_DURABLE_EXECUTION_ARN;

pub(super) fn trigger(event: &EventFields<'_>) -> Option<Trigger> {
    let execution = arn(event.durable_execution)?;
    present(event.checkpoint)?;
    let mut trigger = Trigger::faas("other");
    trigger.set(AWS_LAMBDA_DURABLE_EXECUTION_ARN, execution);
    Some(trigger)
}
