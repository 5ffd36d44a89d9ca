"""The Java rules under the names that Bazel's toolchains load them by."""

java_binary = native.java_binary
java_import = native.java_import
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
