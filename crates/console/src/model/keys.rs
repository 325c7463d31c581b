//! The attribute keys that the console reads, of the OpenTelemetry semantic conventions and of earlier ones.

/// The status of an HTTP response.
pub(crate) const HTTP_STATUS: &[&str] = &["http.response.status_code", "http.status_code"];
/// The method of an HTTP request.
pub(crate) const HTTP_METHOD: &[&str] = &["http.request.method", "http.method"];
/// The route that a server matched.
pub(crate) const HTTP_ROUTE: &[&str] = &["http.route"];
/// The path of a request.
pub(crate) const URL_PATH: &[&str] = &["url.path", "http.target"];
/// The URL of a request.
pub(crate) const URL_FULL: &[&str] = &["url.full", "http.url"];
/// The class of an error.
pub(crate) const ERROR_TYPE: &[&str] = &["error.type"];
/// The user on whose behalf the work was done.
pub(crate) const USER: &[&str] = &["user.id", "enduser.id", "app.user_id", "user.name", "app.user", "user_id"];
/// Whether the invocation initialized its environment.
pub(crate) const COLD_START: &[&str] = &["faas.coldstart"];
/// The memory of a function in bytes.
pub(crate) const MAX_MEMORY: &[&str] = &["faas.max_memory"];
/// The processor architecture of a function.
pub(crate) const ARCHITECTURE: &[&str] = &["host.arch"];
/// The consumed capacity units of a DynamoDB call.
pub(crate) const CAPACITY: &[&str] = &["aws.dynamodb.consumed_capacity_units"];
/// The operation of an RPC, such as `DynamoDB/Query`.
pub(crate) const RPC_METHOD: &[&str] = &["rpc.method", "aws.operation", "db.operation.name", "db.operation"];
/// The system of an RPC, such as `aws-api`.
pub(crate) const RPC_SYSTEM: &[&str] = &["rpc.system.name", "rpc.system"];
/// The database system.
pub(crate) const DB_SYSTEM: &[&str] = &["db.system.name", "db.system"];
/// The tables of a DynamoDB call.
pub(crate) const TABLES: &[&str] = &["aws.dynamodb.table_names", "aws.table.name", "aws.table_name"];
/// The secondary index of a DynamoDB call.
pub(crate) const INDEX: &[&str] = &["aws.dynamodb.index_name"];
/// The attributes that identify the resource. A host is known if one of them is set.
pub(crate) const HOST: &[&str] = &["host.id", "host.name", "host.ip", "faas.instance"];
/// The service of a resource.
pub(crate) const SERVICE_NAME: &str = "service.name";
/// The sample rate in Honeycomb's format.
pub(crate) const SAMPLE_RATE: &[&str] = &["sampleRate", "SampleRate"];
