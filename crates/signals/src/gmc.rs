//! The manager's own series.

#![expect(missing_docs, reason = "the help text of each says it")]

use crate::{Series, Table};

pub const MANAGED_GATEWAYS: Series = Series::gauge(
    "actions_gateway_managed_gateways",
    "ActionsGateways that this process manages; 0 on a standby.",
    &[],
);

/// All of them.
pub const ALL: Table = &[&MANAGED_GATEWAYS];
