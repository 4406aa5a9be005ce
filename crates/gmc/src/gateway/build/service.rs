//! The Service by which Prometheus finds the controller's metrics.

use api::names;
use handoff::agc::METRICS_PORT;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{controller_metadata, controller_selector};
use crate::gateway::validate::Gateway;

pub(super) fn metrics(gateway: &Gateway) -> Service {
    let port = ServicePort {
        name: Some(names::METRICS_PORT.to_owned()),
        port: METRICS_PORT.into(),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(names::METRICS_PORT.to_owned())),
        ..ServicePort::default()
    };
    Service {
        metadata: controller_metadata(gateway),
        spec: Some(ServiceSpec {
            // Said although it is the default: what is not ours to say would not be put back.
            type_: Some("ClusterIP".to_owned()),
            selector: Some(controller_selector()),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
