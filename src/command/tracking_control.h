// TrackingControl: CLIENT TRACKING. Implemented by the engine.
#pragma once

#include <cstddef>

namespace hearth {

struct Session;
namespace tracking {
class Table;
struct Client;
}  // namespace tracking

class TrackingControl {
 public:
  virtual ~TrackingControl() = default;
  // Switches it on, or changes how it is on: prefixes are added to those the session has.
  virtual void start(Session& session, tracking::Client how) = 0;
  virtual void stop(Session& session) = 0;
  [[nodiscard]] virtual const tracking::Table& table() const = 0;
  [[nodiscard]] virtual std::size_t client_count() const = 0;
};

}  // namespace hearth
