"""deploy/processors with every cross-compiler and emulator: .ci/run installs them."""
