//! A runner, from its JIT configuration to the end of its job.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Alg, Draft, Github, Reply, Signer};

pub struct Runner<'a> {
    pub github: &'a Github,
    pub id: u64,
    pub name: String,
    pub files: BTreeMap<String, Value>,
    pub client_id: String,
    pub authorization_url: String,
    pub broker: String,
    pub signer: Signer,
}

/// A notification of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub message_id: i64,
    pub request: String,
    pub run_service: String,
    pub billing_owner: String,
}

/// A claimed job.
#[derive(Debug, Clone)]
pub struct Claim {
    pub plan: String,
    pub job: String,
    pub url: String,
    pub token: String,
    pub message: Value,
}

impl<'a> Runner<'a> {
    pub fn decode(github: &'a Github, answer: &Value) -> Self {
        let blob = STANDARD.decode(answer["encoded_jit_config"].as_str().unwrap()).unwrap();
        let map: BTreeMap<String, String> = serde_json::from_slice(&blob).unwrap();
        let files: BTreeMap<String, Value> = map
            .into_iter()
            .map(|(name, file)| (name, serde_json::from_slice(&STANDARD.decode(file).unwrap()).unwrap()))
            .collect();
        let text = |file: &Value, key: &str| file[key].as_str().unwrap().to_owned();
        let data = &files[".credentials"]["data"];
        Self {
            github,
            id: answer["runner"]["id"].as_u64().unwrap(),
            name: text(&files[".runner"], "AgentName"),
            client_id: text(data, "clientId"),
            authorization_url: text(data, "authorizationUrl"),
            broker: text(&files[".runner"], "ServerUrlV2"),
            signer: Signer::from_parameters(&files[".credentials_rsaparams"]),
            files,
        }
    }

    /// The claims of a good assertion.
    pub fn claims(&self) -> Value {
        let now = Timestamp::now().as_second();
        json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.authorization_url,
            "jti": Uuid::new_v4().to_string(), "nbf": now, "exp": now + 300,
        })
    }

    pub fn assertion(&self, alg: Alg, claims: &Value) -> String {
        self.signer.jwt(alg, &json!({"typ": "JWT", "alg": alg.name()}), claims)
    }

    /// The algorithm that `.credentials` demand.
    pub fn alg(&self) -> Alg {
        match self.files[".credentials"]["data"]["requireFipsCryptography"].as_str() {
            Some("True") => Alg::Ps256,
            _ => Alg::Rs256,
        }
    }

    pub async fn present(&self, assertion: &str) -> Reply {
        self.github
            .post(&self.authorization_url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(assertion))
            .send()
            .await
    }

    pub async fn token(&self) -> String {
        let reply = self.present(&self.assertion(self.alg(), &self.claims())).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        assert_eq!(reply.json()["token_type"], "JWT");
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub fn session_body(&self) -> Value {
        json!({
            "sessionId": "00000000-0000-0000-0000-000000000000", "ownerName": "test (PID: 1)",
            "agent": {"id": self.id, "name": self.name, "version": "2.337.0", "osDescription": "Linux 6.8",
                      "ephemeral": null, "status": 0, "provisioningState": null},
            "useFipsEncryption": false,
        })
    }

    /// B1, with everything as it should be.
    pub fn create_session(&self, token: &str) -> Draft<'a> {
        self.github.post(&format!("{}session", self.broker)).bearer(token).json(&self.session_body())
    }

    /// A session: its token and id.
    pub async fn session(&self) -> (String, String) {
        let token = self.token().await;
        let reply = self.create_session(&token).expect(200).await;
        let id = reply.json()["sessionId"].as_str().unwrap().to_owned();
        (token, id)
    }

    /// B2.
    pub fn poll(&self, token: &str, session: &str, status: &str) -> Draft<'a> {
        let url = format!(
            "{}message?sessionId={session}&status={status}&runnerVersion=2.337.0&os=Linux&architecture=X64&disableUpdate=true",
            self.broker
        );
        self.github.get(&url).bearer(token)
    }

    /// The next job on offer.
    pub async fn offer(&self, token: &str, session: &str) -> Offer {
        let reply = self.poll(token, session, "Online").expect(200).await;
        Offer::read(&reply.json())
    }

    /// X1.
    pub fn acquire(&self, token: &str, offer: &Offer) -> Draft<'a> {
        let body = json!({"jobMessageId": offer.request, "runnerOS": "Linux", "billingOwnerId": offer.billing_owner});
        self.github.post(&format!("{}acquirejob", offer.run_service)).bearer(token).json(&body)
    }

    /// A session with a claimed job.
    pub async fn claim(&self) -> (String, String, Claim) {
        let (token, session) = self.session().await;
        let offer = self.offer(&token, &session).await;
        let reply = self.acquire(&token, &offer).expect(200).await;
        (token, session, Claim::read(&reply))
    }
}

impl Offer {
    pub fn read(message: &Value) -> Self {
        assert_eq!(message["messageType"], "RunnerJobRequest");
        let body: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
        Self {
            message_id: message["messageId"].as_i64().unwrap(),
            request: body["runner_request_id"].as_str().unwrap().to_owned(),
            run_service: body["run_service_url"].as_str().unwrap().to_owned(),
            billing_owner: body["billing_owner_id"].as_str().unwrap().to_owned(),
        }
    }
}

impl Claim {
    pub fn read(reply: &Reply) -> Self {
        let message = reply.json();
        let endpoint = &message["resources"]["endpoints"][0];
        assert_eq!(endpoint["name"], "SystemVssConnection");
        let plan = message["plan"]["planId"].as_str().unwrap().to_owned();
        assert_eq!(reply.header("x-plan-id"), plan);
        Self {
            plan,
            job: message["jobId"].as_str().unwrap().to_owned(),
            url: endpoint["url"].as_str().unwrap().to_owned(),
            token: endpoint["authorization"]["parameters"]["AccessToken"].as_str().unwrap().to_owned(),
            message,
        }
    }

    /// The body of X2, and the start of X3's.
    pub fn ids(&self) -> Value {
        json!({"planId": self.plan, "jobId": self.job})
    }

    pub fn renew<'a>(&self, github: &'a Github) -> Draft<'a> {
        github.post(&format!("{}renewjob", self.url)).bearer(&self.token).json(&self.ids())
    }

    pub fn complete<'a>(&self, github: &'a Github, conclusion: &str) -> Draft<'a> {
        let body = json!({"planId": self.plan, "jobId": self.job, "conclusion": conclusion});
        github.post(&format!("{}completejob", self.url)).bearer(&self.token).json(&body)
    }

    /// The base of the results service.
    pub fn results_url(&self) -> &str {
        self.message["resources"]["endpoints"][0]["data"]["ResultsServiceUrl"].as_str().unwrap()
    }

    /// A call to the results service, with the ids of this job added.
    pub fn results<'a>(&self, github: &'a Github, method: &str, extra: Value) -> Draft<'a> {
        let base = self.results_url();
        let mut body = extra;
        body["workflow_run_backend_id"] = json!(self.plan);
        body["workflow_job_run_backend_id"] = json!(self.job);
        github.post(&format!("{base}twirp/{method}")).bearer(&self.token).json(&body)
    }

    /// Asks which commits some actions are.
    pub fn resolve<'a>(&self, github: &'a Github, actions: Value) -> Draft<'a> {
        let launch = self.message["variables"]["system.github.launch_endpoint"]["value"].as_str().unwrap();
        let url = format!("{launch}/actions/build/{}/jobs/{}/runnerresolve/actions", self.plan, self.job);
        let body = json!({"actions": actions, "actions_dependencies": []});
        github.post(&url).bearer(&self.token).json(&body)
    }

    /// Where the job's steps ask for id tokens.
    pub fn id_token_url(&self) -> &str {
        self.message["resources"]["endpoints"][0]["data"]["GenerateIdTokenUrl"].as_str().unwrap()
    }

    /// The worker's first sign of life.
    pub async fn start(&self, github: &Github) {
        let step = json!({"external_id": "5e900000", "number": 1, "name": "Set up job", "status": 3});
        let method = "github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate";
        self.results(github, method, json!({"steps": [step], "change_order": 1})).expect(200).await;
    }
}

/// The form of O1.
pub fn form(assertion: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .append_pair("client_assertion", assertion)
        .finish()
}
