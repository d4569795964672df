//! The device that the driver pretends to have.

/// Names the environment variable that says how it differs from an A100 with 1 GiB of memory: `driver=11040 devices=0 capability=75 memory=1000000 kernels=faulty`, or `kernels=idle`.
pub const VARIABLE: &str = "FAKE_CUDA";

#[derive(Clone, Debug)]
pub struct Settings {
    /// The version of CUDA that the driver knows.
    pub driver: i32,
    pub devices: i32,
    /// The compute capability, times ten.
    pub capability: i32,
    /// Bytes.
    pub memory: usize,
    /// Where nobody runs kernels.
    pub kernels: Kernels,
    /// Whether graphs that can run stay as they are.
    pub refuses_updates: bool,
}

/// What becomes of a launch that nobody runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernels {
    Refused,
    /// Taken, and it fails when its turn comes.
    Faulty,
    /// Taken, and nothing is computed: for what only times.
    Idle,
}

impl Settings {
    pub fn of_environment() -> Settings {
        let kernels = Kernels::Refused;
        let mut settings =
            Settings { driver: 12040, devices: 1, capability: 80, memory: 1 << 30, kernels, refuses_updates: false };
        let text = std::env::var(VARIABLE).unwrap_or_default();
        for (name, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
            let number = value.parse::<i32>();
            match (name, number) {
                ("driver", Ok(number)) => settings.driver = number,
                ("devices", Ok(number)) => settings.devices = number,
                ("capability", Ok(number)) => settings.capability = number,
                ("memory", Ok(number)) => settings.memory = number as usize,
                ("kernels", _) if value == "faulty" => settings.kernels = Kernels::Faulty,
                ("kernels", _) if value == "idle" => settings.kernels = Kernels::Idle,
                _ => panic!("{VARIABLE} has no `{name}={value}`"),
            }
        }
        settings
    }
}
