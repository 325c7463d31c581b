//! Amazon EventBridge: an event on a bus, or a schedule.

use super::event::{EventFields, last_of_arn, part, text};
use super::sender;
use super::trigger::Trigger;
use crate::attributes::{AWS_EVENTBRIDGE_DETAIL_TYPE, AWS_EVENTBRIDGE_SOURCE, FAAS_TIME};

/// Every event of EventBridge has a time.
pub(super) fn trigger(event: &EventFields<'_>) -> Option<Trigger> {
    let (source, detail_type, time) = (text(event.source)?, text(event.detail_type)?, text(event.time)?);
    let is_schedule = detail_type == "Scheduled Event" && matches!(&*source, "aws.events" | "aws.scheduler");
    let mut trigger = if is_schedule {
        let resources: Vec<String> = part(event.resources).unwrap_or_default();
        // arn:aws:events:us-east-1:123456789012:rule/nightly, arn:aws:scheduler:us-east-1:123456789012:schedule/group/nightly
        let name = resources.first().and_then(|arn| last_of_arn(arn)?.rsplit('/').next());
        Trigger::consumer("timer", name.or(Some("schedule")))
    } else {
        let mut trigger = Trigger::consumer("pubsub", Some(&source));
        trigger.set_messaging_system("aws.eventbridge");
        trigger
    };
    trigger.set(AWS_EVENTBRIDGE_SOURCE, source);
    trigger.set(AWS_EVENTBRIDGE_DETAIL_TYPE, detail_type);
    trigger.set(FAAS_TIME, time);
    Some(trigger.link_to(sender::of_detail(event.detail)))
}
