//! What is the same in every pod that our programs make: whoever writes a manifest and whoever runs in it count on it.

/// The user of our own images, and its group: nobody's, and not root.
pub const USER: i64 = 65532;
/// Where the CA bundle for GitHub is mounted: the ConfigMap of `gitHubCABundleRef`.
pub const GITHUB_CA_DIR: &str = "/etc/actions-gateway/github-ca";
/// Where the egress proxy's CA is mounted.
pub const PROXY_CA_DIR: &str = "/etc/actions-gateway/proxy-ca";
