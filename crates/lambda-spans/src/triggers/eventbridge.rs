//! Amazon EventBridge: an event on a bus, or a schedule.

use super::event::{EventFields, last_of_arn, part, text};
use super::trigger::Trigger;
use crate::attributes::{AWS_EVENTBRIDGE_DETAIL_TYPE, AWS_EVENTBRIDGE_SOURCE, FAAS_TIME};

pub(super) fn trigger(event: &EventFields<'_>) -> Option<Trigger> {
    let (source, detail_type) = (text(event.source)?, text(event.detail_type)?);
    let time = text(event.time);
    let mut trigger = if source == "aws.events" && detail_type == "Scheduled Event" {
        let rules: Vec<String> = part(event.resources).unwrap_or_default();
        // arn:aws:events:us-east-1:123456789012:rule/nightly
        let rule = rules.first().and_then(|arn| last_of_arn(arn)).map(|name| name.trim_start_matches("rule/"));
        Trigger::consumer("timer", rule.or(Some("schedule")))
    } else {
        let mut trigger = Trigger::consumer("pubsub", Some(&source));
        trigger.set_messaging_system("aws.eventbridge");
        trigger
    };
    trigger.set(AWS_EVENTBRIDGE_SOURCE, source);
    trigger.set(AWS_EVENTBRIDGE_DETAIL_TYPE, detail_type);
    if let Some(time) = time {
        trigger.set(FAAS_TIME, time);
    }
    Some(trigger)
}
