// The ports of the engine: the things it is given from outside, and its wishes to the network.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/out_buffer.h"
#include "src/base/time.h"

namespace hearth {

class ClusterControl;
class CommandTable;
class MigrationControl;
class PersistenceControl;
class Reclaimer;
class ReplicaControl;
class ReplicationControl;
class ServerControl;
struct Session;
namespace config {
class Registry;
}

// Services of the network for the engine. Calls are cheap and never re-enter the engine.
class EngineHost {
 public:
  virtual ~EngineHost() = default;
  // The session has output: write it before this loop turn ends.
  virtual void flush_soon(Session& session) = 0;
  // The session is marked close_now or close_after_reply: end it in this loop turn.
  virtual void close_soon(Session& session) = 0;
  // The session was parked and may go on with the requests it still has.
  virtual void resume_soon(Session& session) = 0;
  // About once a second for each session: its input buffer may shrink to what it needed lately, or
  // to nothing if the client was idle.
  virtual void trim_buffers(Session& session, bool idle) {
    static_cast<void>(session);
    static_cast<void>(idle);
  }
  // A script of this session runs for long: serve the other sessions for one turn and come back.
  // This one call does re-enter the engine. Until script_ended the session is neither read,
  // written nor closed.
  virtual void poll_while_busy(Session& session) { static_cast<void>(session); }
  virtual void script_ended(Session& session) { static_cast<void>(session); }
  // See ScriptHost::exchange_blocking.
  [[nodiscard]] virtual bool exchange_blocking(Session& session, std::string_view out,
                                               std::string& in) {
    static_cast<void>(session);
    static_cast<void>(out);
    static_cast<void>(in);
    return false;
  }
};

// A fast counter of nanoseconds for the durations of commands, handed in like every clock. Only
// differences count.
using NanoTicks = std::uint64_t (*)();

// Facts of the process for INFO; filled by the composition root.
struct ProcessFacts {
  std::string version, hearth_version, build_id, os, executable, config_file, run_id, compiler,
      process_supervised = "no", multiplexing_api = "none";
  int pid = 0;
  int arch_bits = 64;
  struct Cpu {
    double user = 0, system = 0, user_children = 0, system_children = 0, user_main = 0,
           system_main = 0;
  };
  Cpu (*cpu)() = nullptr;
  std::uint64_t total_system_memory = 0;
};

struct EngineOptions {
  std::uint64_t seed = 0;  // of the hash tables and of all random choices
  config::Registry* config = nullptr;
  const CommandTable* commands = nullptr;
  EngineHost* host = nullptr;
  NanoTicks ticks = nullptr;
  Reclaimer* reclaimer = nullptr;
  ServerControl* server = nullptr;
  MigrationControl* migration = nullptr;
  ClusterControl* cluster = nullptr;
  PersistenceControl* persistence = nullptr;
  ReplicationControl* replication = nullptr;
  ReplicaControl* replica = nullptr;
  std::size_t output_most = OutBuffer::kMost;  // bytes that may wait for one client
  UnixMillis now{};
  MonoTime mono{};
  ProcessFacts facts{};
};

}  // namespace hearth
