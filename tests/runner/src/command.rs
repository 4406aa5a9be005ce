//! Workflow commands: `::name key=value,key=value::data` on a line of a step's output.

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name.
    pub name: String,
    /// Its properties, in order.
    pub properties: Vec<(String, String)>,
    /// What follows.
    pub data: String,
}

impl Command {
    /// Reads a line; `None` when it is not a command.
    pub fn parse(line: &str) -> Option<Command> {
        let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        let pairs = properties.split(',').filter_map(|it| it.split_once('='));
        let properties =
            pairs.map(|(key, value)| (key.trim().to_owned(), unescape_property(value))).collect();
        (!name.is_empty()).then(|| Command { name: name.to_owned(), properties, data: unescape(data) })
    }

    /// A property that is not empty.
    pub fn property(&self, key: &str) -> Option<&str> {
        let found = self.properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.as_str()).filter(|it| !it.is_empty())
    }

    /// A property that is a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.property(key)?.parse().ok()
    }
}

fn unescape(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

fn unescape_property(text: &str) -> String {
    unescape(&text.replace("%3A", ":").replace("%2C", ","))
}

#[cfg(test)]
mod tests;
