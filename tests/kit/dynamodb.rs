//! AWS's own DynamoDB Local, with tables in memory.

use std::{
    net::TcpListener,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Result, http,
    process::{Output, Process, wait_for},
    tools,
};

/// How long a Java may take to start.
const READY_WITHIN: Duration = Duration::from_mins(3);

/// A running DynamoDB Local. It takes any credentials.
#[derive(Debug)]
pub struct DynamoDb {
    _process: Process,
    port: u16,
}

impl DynamoDb {
    /// Starts one, and waits until it responds.
    pub fn start() -> Result<Self> {
        let directory = tools::dynamodb_local()?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.map_err(|error| format!("No port is free: {error}."))?.port();
        let (library, jar) = (directory.join("DynamoDBLocal_lib"), directory.join("DynamoDBLocal.jar"));
        let library = format!("-Djava.library.path={}", library.display());
        let (jar, port_argument) = (jar.display().to_string(), port.to_string());
        let arguments = [library.as_str(), "-jar", &jar, "-inMemory", "-port", &port_argument];
        let log = tools::log(&format!("dynamodb-{port}.log"))?;
        let process = Process::start("java".as_ref(), &arguments, &[], Output::File(log.clone()))?;
        let database = Self { _process: process, port };
        let ready = wait_for(READY_WITHIN, || database.call("ListTables", &json!({})).ok());
        ready.ok_or_else(|| format!("DynamoDB Local does not respond; see {}.", log.display()))?;
        Ok(database)
    }

    /// The one that the tests of this process share.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<DynamoDb>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    /// Makes a table as the deployment's is.
    pub fn table(&self) -> Result<Table<'_>> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sessions-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let mut description = Table::layout();
        description["TableName"] = name.as_str().into();
        self.call("CreateTable", &description)?;
        Ok(Table { database: self, name })
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Calls an operation of the API, past the AWS SDK.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html>
    pub fn call(&self, operation: &str, parameters: &Value) -> Result<Value> {
        const CREDENTIAL: &str = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
            SignedHeaders=host, Signature=0";
        let target = format!("DynamoDB_20120810.{operation}");
        let headers =
            [("x-amz-target", &*target), ("authorization", CREDENTIAL), ("content-type", "application/x-amz-json-1.0")];
        let response = http::send(self.port, "POST", "/", &headers, &parameters.to_string());
        let response = response.map_err(|error| format!("{operation}: {error}."))?;
        if response.status == 200 {
            serde_json::from_str(&response.body).map_err(|error| format!("{operation}: {error} in {}", response.body))
        } else {
            Err(format!("{operation}: {}", response.body))
        }
    }
}

/// A table of sessions.
#[derive(Debug)]
pub struct Table<'a> {
    database: &'a DynamoDb,
    name: String,
}

impl Table<'_> {
    /// What tables are made of here. That it is what the deployment's is made of, a test of the template sees to.
    pub fn layout() -> Value {
        let key = |name, kind| json!({ "AttributeName": name, "KeyType": kind });
        let text = |name| json!({ "AttributeName": name, "AttributeType": "S" });
        json!({
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [key("sub", "HASH"), key("session_id", "RANGE")],
            "AttributeDefinitions": [text("sub"), text("session_id")],
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a function needs to find it.
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.database.port);
        let variables = [
            ("TOKEN_TABLE", self.name.as_str()),
            ("AWS_ENDPOINT_URL_DYNAMODB", &endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Everything in it.
    pub fn scan(&self) -> Result<Vec<Value>> {
        let found = self.database.call("Scan", &json!({ "TableName": self.name, "ConsistentRead": true }))?;
        Ok(found["Items"].as_array().cloned().unwrap_or_default())
    }

    /// Writes an item over the one that is there.
    pub fn put(&self, item: &Value) -> Result<()> {
        self.database.call("PutItem", &json!({ "TableName": self.name, "Item": item })).map(drop)
    }

    /// Deletes everything in it.
    pub fn clear(&self) -> Result<()> {
        for item in self.scan()? {
            let key = json!({ "sub": item["sub"], "session_id": item["session_id"] });
            self.database.call("DeleteItem", &json!({ "TableName": self.name, "Key": key }))?;
        }
        Ok(())
    }

    /// Deletes the table.
    pub fn delete(&self) -> Result<()> {
        self.database.call("DeleteTable", &json!({ "TableName": self.name })).map(drop)
    }
}
