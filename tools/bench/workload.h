// The requests of the load generator: one kind of command on numbered keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/random.h"
#include "src/base/result.h"

namespace hearth::bench {

enum class Operation : std::uint8_t {
  kPing,
  kGet,     // GET key
  kSet,     // SET key value
  kGetSet,  // one or the other, at random
  kSetTtl,  // SET key value EX 86400
  kSetInt,  // SET key <number of the key>
  kSetVer,  // SET key value VER <a number that grows with each request>
  kHash,    // HSET key, ten fields of 7 bytes with values of 12 bytes
};

// "ping", "get", "set", "get-set", "set-ttl", "set-int", "set-ver", "hset10". Errors: kInvalid.
Result<Operation> parse_operation(std::string_view name);

enum class KeyOrder : std::uint8_t { kRandom, kSequential };

struct WorkloadOptions {
  Operation operation = Operation::kGet;
  KeyOrder order = KeyOrder::kRandom;
  std::uint64_t keys = 1'000'000;
  std::size_t value_bytes = 64;
  // Versions of a later seed are newer.
  std::uint64_t seed = 1;
};

// Makes requests cheaply: a prepared command in which only the 16-byte key ("key:" and twelve
// digits), and for kSetInt the value, change.
class Workload {
 public:
  explicit Workload(const WorkloadOptions& options);

  // Appends the next request.
  void append_next(std::string& out);

 private:
  WorkloadOptions options_;
  Rng rng_;
  std::uint64_t next_key_ = 0;
  std::string command_;
  std::string get_;           // kGetSet: the other one
  std::size_t key_at_ = 0;    // where the twelve digits of the key stand in command_
  std::size_t value_at_ = 0;  // the same for the value of kSetInt, or the version
  std::uint64_t version_ = 0;
};

}  // namespace hearth::bench
