#include "src/server/primary_link.h"

namespace hearth {

void StreamPrimaryLink::connect(const Target& target) {
  close();
  StreamTarget to;
  to.host = target.host;
  to.port = target.port;
  to.source_ip = target.source;
  to.no_delay = target.no_delay;
  stream_ = opener_.open(to, *this);
}

void StreamPrimaryLink::send(std::string_view bytes) {
  if (connected_) stream_->write(bytes);
}

void StreamPrimaryLink::set_reading(bool on) {
  if (connected_) stream_->set_reading(on);
}

void StreamPrimaryLink::close() {
  connected_ = false;
  stream_.reset();
}

void StreamPrimaryLink::stream_opened() {
  connected_ = true;
  listener_.link_connected();
}

// Consumed first: the listener may close the link.
void StreamPrimaryLink::stream_received() {
  const std::string_view bytes = stream_->unread();
  stream_->consume(bytes.size());
  listener_.link_received(bytes);
}

void StreamPrimaryLink::stream_ended(const ByteStream::End& end) {
  const std::string why = end.why;  // `end` may go with the stream
  close();
  listener_.link_lost(why);
}

}  // namespace hearth
