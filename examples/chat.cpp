// chat: a room that passes on what its members say, and is held up by none of them.
//
//     join, leave, say  -->  room  -->  inbox of alice  -->  alice
//                                  -->  inbox of bob    -->  bob
//
// The room is one coroutine and owns the list of its members: no lock, and everybody sees the messages in
// the same order. Inboxes are channels with a buffer. The room never waits for a place in one: what happens to
// a member whose inbox is full is that member's policy. A closed inbox is how a member learns that it is
// out; what is in there can still be read.
#include <weft/chan.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>

#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace {

using inbox = weft::chan<std::string>;

enum class when_full { lose_message, drop_member };

class room {
public:
    room() : running_(weft::spawn([this] { run(); })) {}
    room(const room&) = delete;
    room& operator=(const room&) = delete;

    /// Its members are out, and calls throw channel_closed from now on. Once.
    void close() {
        said_.close();
        running_.join();
        joining_.close();
        leaving_.close();
    }

    // Any coroutine may call these. The channels are unbuffered: when a call is back, the room has taken
    // it up, and does nothing else before it.
    weft::receiver<std::string> join(std::string name, std::size_t capacity, when_full policy) {
        inbox messages(capacity);
        joining_.send({std::move(name), messages, policy});
        return messages;
    }
    void leave(std::string name) { leaving_.send(std::move(name)); }
    void say(const std::string& name, const std::string& text) { said_.send(name + ": " + text); }

private:
    struct member {
        std::string name;
        inbox messages;
        when_full policy;
        unsigned lost = 0;
    };

    void run() {
        for (bool open = true; open;)
            weft::select(weft::on_recv(joining_, [&](auto who) { enter(who.value()); }),
                         weft::on_recv(leaving_, [&](auto who) { quit(who.value()); }),
                         weft::on_recv(said_, [&](auto line) {
                             open = line.has_value();
                             if (open) tell_all(*line);
                         }));
        for (member& m : members_) out(m);
    }

    void enter(const member& newcomer) {
        tell_all(newcomer.name + " is here");
        members_.push_back(newcomer);
    }

    void quit(const std::string& name) {
        const std::size_t left = std::erase_if(members_, [&](member& m) {
            if (m.name == name) out(m);
            return m.name == name;
        });
        if (left != 0) tell_all(name + " has left");
    }

    void tell_all(const std::string& line) {
        std::vector<std::string> dropped;
        std::erase_if(members_, [&](member& m) {
            if (m.messages.try_send(std::string(line))) return false;
            if (m.policy == when_full::lose_message) {
                ++m.lost;
                return false;
            }
            out(m);
            dropped.push_back(m.name);
            return true;
        });
        // One after the other, and after the line: telling of it may drop further members.
        for (const std::string& name : dropped) tell_all(name + " was too slow");
    }

    static void out(member& m) {
        m.messages.close();
        if (m.lost != 0) std::printf("%s has lost %u messages\n", m.name.c_str(), m.lost);
    }

    weft::chan<member> joining_;
    weft::chan<std::string> leaving_;
    weft::chan<std::string> said_;
    std::vector<member> members_;      // The room's own coroutine only.
    weft::join_handle<void> running_;  // Last, for it uses the others.
};

void read_all(const char* name, weft::receiver<std::string> messages) {
    for (const std::string& line : messages) std::printf("%s reads  %s\n", name, line.c_str());
}

void show() {
    // Nobody reads a line before the end: this is what becomes of slow members. Alice has ample room.
    room lobby;
    const auto alice = lobby.join("alice", 100, when_full::lose_message);
    const auto bob = lobby.join("bob", 2, when_full::lose_message);
    const auto carol = lobby.join("carol", 2, when_full::drop_member);
    lobby.say("alice", "good morning");
    lobby.say("carol", "hello");
    lobby.say("alice", "has anybody seen dave?");
    lobby.leave("alice");
    lobby.say("bob", "is anybody here?");
    lobby.close();

    read_all("alice", alice);
    read_all("bob", bob);
    read_all("carol", carol);
}

}  // namespace

int main() {
    return weft::run([] { show(); });
}
