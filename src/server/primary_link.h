// PrimaryLink: the connection of a replica to its primary.
#pragma once

#include <uv.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

class PrimaryLink {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // None is called from inside a call of the link.
    virtual void link_connected() = 0;
    virtual void link_received(std::string_view bytes) = 0;
    virtual void link_lost(std::string_view why) = 0;  // the link is closed already
  };
  virtual ~PrimaryLink() = default;
  struct Target {
    std::string host;  // a name or an address
    std::uint16_t port = 0;
    std::string source;  // address to connect from, "" for any
    bool no_delay = true;
  };
  // Closes what was open.
  virtual void connect(const Target& target) = 0;
  virtual void send(std::string_view bytes) = 0;
  // What arrives waits in the kernel.
  virtual void set_reading(bool on) = 0;
  virtual void close() = 0;
};

// Over libuv. The thread of the loop only.
class UvPrimaryLink final : public PrimaryLink {
 public:
  UvPrimaryLink(uv_loop_t* loop, Listener& listener) : loop_(loop), listener_(listener) {}
  ~UvPrimaryLink() override { UvPrimaryLink::close(); }
  UvPrimaryLink(const UvPrimaryLink&) = delete;
  UvPrimaryLink& operator=(const UvPrimaryLink&) = delete;

  void connect(const Target& target) override;
  void send(std::string_view bytes) override;
  void set_reading(bool on) override;
  void close() override;

 private:
  struct Socket;

  uv_loop_t* loop_;
  Listener& listener_;
  Socket* socket_ = nullptr;  // frees itself when libuv has let go of it
};

}  // namespace hearth
