// Whether a command runs on this node, and what the client is told if it does not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cluster/model/view.h"

namespace hearth::cluster {

// The needs of a command, or of all the commands of one EXEC together.
struct RedirectQuery {
  std::span<const Slot> slots{};  // one for each key (repeats allowed); empty: no keys
  bool command_writes = true;     // false only for commands that can change nothing
  bool shard_pubsub = false;      // the "keys" are shard channels: they have no presence
  bool moves_slots = false;       // MIGRATE and the like: runs here while the slot is in motion
  bool session_asking = false;    // ASKING came before, or the command implies it
  bool session_readonly = false;  // READONLY
  bool session_tls = false;       // redirect to TLS ports
  bool session_ipv6 = false;      // the client came by IPv6
  // How many of the keys are in the local data set. Asked for only when the slot is in motion
  // (View::in_motion); otherwise both stay 0.
  int keys_present = 0;
  int keys_missing = 0;
  // All of `slots` are of one key that is named more than once.
  bool one_key = false;
};

enum class RedirectKind : std::uint8_t {
  kServe,
  kMoved,
  kAsk,
  kCrossSlot,
  kTryAgain,
  kSlotUnserved,   // nobody owns the slot
  kDown,           // cluster state is fail
  kDownReadsOnly,  // cluster state is fail, reads are allowed, this is a write
};

struct Redirect {
  RedirectKind kind = RedirectKind::kServe;
  Slot slot = 0;             // for kMoved, kAsk
  NodeIndex node = kNoNode;  // for kMoved, kAsk: where to go

  [[nodiscard]] bool serves() const { return kind == RedirectKind::kServe; }
};

// The decision. Pure; O(keys). Call it when View::serves(slot) said no, or for several keys.
//
// Order: no keys -> serve; unowned first slot; keys in different slots; cluster down; open slots
// (ASK, TRYAGAIN); a replica's reads; MOVED.
[[nodiscard]] Redirect redirect(const View& view, const RedirectQuery& query);

// The error text without the leading '-' : "MOVED 3999 127.0.0.1:6381". Empty for kServe.
[[nodiscard]] std::string redirect_text(const View& view, const RedirectQuery& query,
                                        const Redirect& decision);

// The address of a node for clients of a family: the announced one, or its own.
[[nodiscard]] std::string_view client_ip(const NodeView& node, bool ipv6);

// How clients reach a node by the preferred endpoint type: the address (or the announced client
// address of the family), the host name or "?" where none is announced, or "" for
// unknown-endpoint, which says "the host you already talk to".
[[nodiscard]] std::string_view client_host(const NodeView& node, EndpointType type, bool ipv6);
[[nodiscard]] inline std::uint16_t client_port(const NodeView& node, bool tls) {
  return tls ? node.address.tls_port : node.address.port;
}

}  // namespace hearth::cluster
