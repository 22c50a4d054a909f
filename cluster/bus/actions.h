// Actions: the work that the state machine of the bus asks for, in this order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/bus/inputs.h"
#include "cluster/model/admin.h"
#include "cluster/model/message.h"
#include "cluster/model/view.h"
#include "src/base/log.h"

namespace hearth::cluster {

namespace action {
// Write nodes.conf so that it survives a crash, and say so with input::Persisted. The write may
// take its time: there is one at most under way, and what depends on it (a vote, a promise, the
// answer to an administrator) waits for it in the machine.
struct Persist {
  ViewPtr view;
};
struct OpenLink {
  LinkId link = 0;
  std::string ip;
  std::uint16_t cport = 0;
};
struct CloseLink {
  LinkId link = 0;
};
// On a link that is not connected any more: drop it.
struct Send {
  LinkId link = 0;
  std::shared_ptr<const Message> message;
};
// Another node took these slots, or the data was given up: their keys here must go.
struct DropKeys {
  SlotSet slots;
};
// The data follows the stream of this primary from now on. Repeated when its address changes.
struct Follow {
  NodeId primary;
  std::string host;
  std::uint16_t port = 0;
  bool other_data = false;  // what is here so far is not of that primary's shard
};
// The data follows nobody any more.
struct Lead {};
// Clients' writes wait, or go on.
struct HoldWrites {
  bool on = false;
};
struct Deliver {  // a PUBLISH of another node, for local subscribers
  std::string channel;
  std::string message;
  bool sharded = false;
};
struct ResolveSeed {
  std::size_t seed = 0;
  std::string host;
};
struct Log {
  log::Level level = log::Level::kNotice;
  std::string text;
};
}  // namespace action

using Action = std::variant<action::Persist, action::OpenLink, action::CloseLink, action::Send,
                            action::DropKeys, action::Follow, action::Lead, action::HoldWrites,
                            action::Deliver, action::ResolveSeed, action::Log>;

struct Actions {
  std::vector<Action> list;
  std::optional<AdminReply> reply;  // to input::Admin
  // The save that the reply must wait for: tell it when Machine::saved() has come so far, or that
  // it failed. 0: none.
  std::uint64_t reply_after_save = 0;
};

}  // namespace hearth::cluster
