//! How the worker names itself, to services and to proxies (protocol §6.9).

use crate::settings::Settings;

/// The official worker that is stood in for.
pub const VERSION: &str = "2.336.0";

/// The user agent, in the parts and the order of the official worker. What a header cannot hold is left out.
pub fn user_agent(settings: &Settings, orchestration: Option<&str>) -> String {
    let mut parts = vec![
        format!("VSServices/{VERSION}.0 (NetStandard; Linux)"),
        format!("GitHubActionsRunner-linux-x64/{VERSION}"),
    ];
    parts.extend(settings.agent_id.map(|it| format!("RunnerId/{it}")));
    parts.extend(settings.client_id.as_ref().map(|it| format!("ClientId/{it}")));
    parts.extend(orchestration.map(|it| format!("OrchestrationId/{it}")));
    parts.retain(|it| it.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_runner_and_job() {
        let settings = Settings { agent_id: Some(7), client_id: Some("c".into()), ..Settings::default() };
        let agent = user_agent(&settings, Some("plan.build.__default"));
        for part in [
            "GitHubActionsRunner-linux-x64/2.336.0",
            "RunnerId/7",
            "ClientId/c",
            "OrchestrationId/plan.build.__default",
        ] {
            assert!(agent.split(' ').any(|it| it == part), "{agent}");
        }
        assert!(!user_agent(&Settings::default(), Some("b\u{fc}ild\n")).contains("OrchestrationId"));
    }
}
