//! The series that every controller serves, under the names that dashboards for controller-runtime know.

#![expect(missing_docs, reason = "the help text of each says it")]

use crate::{Label, Series, Table};

/// Reconciles take from milliseconds (nothing to do) to a minute (a slow API server).
const RECONCILE_SECONDS: [f64; 13] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

const CONTROLLER: Label = Label::open("controller", "The controller's name: its kind in lower case.");

pub const RECONCILES: Series = Series::counter(
    "controller_runtime_reconcile_total",
    "Reconciles, by controller and result.",
    &[
        CONTROLLER,
        Label::closed("result", "How the reconcile ended.", &["success", "requeue_after", "error"]),
    ],
);
pub const RECONCILE_ERRORS: Series = Series::counter(
    "controller_runtime_reconcile_errors_total",
    "Reconciles that failed, by controller.",
    &[CONTROLLER],
);
pub const RECONCILE_TIME: Series = Series::histogram(
    "controller_runtime_reconcile_time_seconds",
    "How long a reconcile took.",
    &[CONTROLLER],
    &RECONCILE_SECONDS,
);
pub const ACTIVE_WORKERS: Series =
    Series::gauge("controller_runtime_active_workers", "Reconciles under way.", &[CONTROLLER]);
pub const RECONCILE_ERRORS_BY_RESOURCE: Series = Series::counter(
    "actions_gateway_reconcile_errors_total",
    "Reconciles that failed, by controller and object.",
    &[CONTROLLER, Label::open("resource", "The object, as `namespace/name`; gone when the object is.")],
);
pub const LEADER: Series = Series::gauge(
    "leader_election_master_status",
    "1 while this process holds the lease.",
    &[Label::open("name", "The Lease's name.")],
);
pub const REST_CLIENT_REQUESTS: Series = Series::counter(
    "rest_client_requests_total",
    "Requests to the API server, by the answer's status code (<error> without an answer).",
    &[
        Label::open("code", "The status code."),
        Label::open("method", "The request's method."),
        Label::open("host", "The API server's address."),
    ],
);

/// All of them.
pub const ALL: Table = &[
    &RECONCILES,
    &RECONCILE_ERRORS,
    &RECONCILE_TIME,
    &ACTIVE_WORKERS,
    &RECONCILE_ERRORS_BY_RESOURCE,
    &LEADER,
    &REST_CLIENT_REQUESTS,
];
