/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The ring of lib/ioat between a driver, an engine and a thread that removes memory, on a machine
 * that makes stores visible in any order that no barrier forbids. README.md says what each part
 * stands for, and what is checked; names are those of the C code.
 *
 * A request is one descriptor, and is called by its position. Every third one copies what the one
 * before it has written, which has the fence.
 */

#ifndef TOTAL
#define TOTAL 6 /* requests */
#endif
#ifndef FAILS
#define FAILS 1 /* descriptors at which the engine may halt */
#endif
#define SIZE 4 /* slots of the ring */
#define MASK (SIZE - 1)
#ifndef COUNT
#define COUNT 4 /* the doorbell's register counts modulo this; more than are ever outstanding */
#endif

/* ---- Memory: where a store of the driver goes, and those that are not visible yet ---- */

#define DOORBELL  SIZE
#define CHAIN     (SIZE + 1) /* CHAINADDR: slot + 1 */
#define COMMAND   (SIZE + 2)
#define WORD      (SIZE + 3)
#define ANNOUNCED (SIZE + 4)
#define COMPLETED (SIZE + 5)
#define PLACES    (SIZE + 6)

/* A descriptor: its position, and flags. */
#define POSITION 15
#define UPDATE   16
#define FENCE    32
#define NULL     64
#define NOTHING  255

/* A completion word: slot + 1, 0 for none, and its state. */
#define SLOT   15
#define HALTED 16

#ifdef REMOVER
#define is_chained(position) false
#define has_fence(position)  false
#else
#define is_chained(position) ((position) % 3 == 2)
#define has_fence(position)  ((position) % 3 == 1)
#endif
#define bit(n)               (1 << (n))

byte memory[PLACES];
short pending;           /* stores of the driver that are not visible: places */
short ordered;           /* those among them that a barrier has behind it */
byte value[PLACES];      /* what they store */
short behind[PLACES];    /* the places that have to be visible before them */

/* A place has one store that waits: another one waits for it. */
inline store(place, what)
{
	atomic {
		(pending & bit(place)) == 0;
		value[place] = what;
		behind[place] = ordered;
		pending = pending | bit(place);
	}
}

inline store_release(place, what)
{
	atomic {
		(pending & bit(place)) == 0;
		value[place] = what;
		behind[place] = pending;
		pending = pending | bit(place);
	}
}

inline barrier()
{
	ordered = pending
}

/* With a thread more, the orders that the run without it has been through are left out. */
inline store_slot(position, what)
{
#ifdef REMOVER
	memory[(position) & MASK] = what
#else
	store((position) & MASK, what)
#endif
}

/* before_register_write() */
inline write_register(place, what)
{
	atomic { barrier(); store(place, what) }
}

inline become_visible(place)
{
	d_step {
		memory[place] = value[place];
		pending = pending & ~bit(place);
		ordered = ordered & ~bit(place);
		value[place] = 0;
		behind[place] = 0;
		other = 0;
		do
		:: other < PLACES ->
			behind[other] = behind[other] & ~bit(place);
			other++
		:: else -> break
		od;
		other = 0
	}
}

#define may_become_visible(place) ((pending & bit(place)) && behind[place] == 0)

/* ---- The engine's side ---- */

#define RESET 0 /* and not armed */
#define ARMED 1
#define HALT  2 /* with a cause */

short written;         /* destinations that hold what their request was to write */
short touched;         /* destinations that have been written to at all */
short engine_pending;  /* writes to destinations that are not visible yet */
short engine_value;    /* those among them that are right */
bool word_pending;
byte word_value;
short word_behind;

byte state = RESET;
byte shown = RESET;    /* CHANSTS as it is to be read: after the word */
byte shown_last;
byte engine_at;        /* position of the descriptor that comes next */
byte started;          /* descriptors that the engine has begun, in all */
byte fails;
byte fault = NOTHING;  /* position at which it has halted */

/* What the driver has found out, for the engine's assertions. */
short alone;           /* requests that were built when the one before was known to have failed */
byte chain_position;
byte removed;          /* no memory of requests before this position is registered any more */

inline engine_write(position)
{
	/* Nothing may be written to memory that is not registered any more. */
	assert(position >= removed);
	touched = touched | bit(position);
	written = written | (engine_value & bit(position));
	engine_pending = engine_pending & ~bit(position);
	engine_value = engine_value & ~bit(position);
	word_behind = word_behind & ~bit(position)
}

proctype Memory()
{
	byte other;
end:
	do
	:: atomic { may_become_visible(0) -> become_visible(0) }
	:: atomic { may_become_visible(1) -> become_visible(1) }
	:: atomic { may_become_visible(2) -> become_visible(2) }
	:: atomic { may_become_visible(3) -> become_visible(3) }
	:: atomic { may_become_visible(DOORBELL) -> become_visible(DOORBELL) }
	:: atomic { may_become_visible(CHAIN) -> become_visible(CHAIN) }
	:: atomic { may_become_visible(COMMAND) -> become_visible(COMMAND) }
	:: atomic { may_become_visible(WORD) -> become_visible(WORD) }
	:: atomic { may_become_visible(ANNOUNCED) -> become_visible(ANNOUNCED) }
	:: atomic { may_become_visible(COMPLETED) -> become_visible(COMPLETED) }
	:: atomic { (engine_pending & bit(0)) -> engine_write(0) }
	:: atomic { (engine_pending & bit(1)) -> engine_write(1) }
	:: atomic { (engine_pending & bit(2)) -> engine_write(2) }
	:: atomic { (engine_pending & bit(3)) -> engine_write(3) }
	:: atomic { (engine_pending & bit(4)) -> engine_write(4) }
	:: atomic { (engine_pending & bit(5)) -> engine_write(5) }
	:: atomic { (engine_pending & bit(6)) -> engine_write(6) }
	:: atomic { (engine_pending & bit(7)) -> engine_write(7) }
	:: atomic { (engine_pending & bit(8)) -> engine_write(8) }
	:: atomic { word_pending && word_behind == 0 ->
		memory[WORD] = word_value;
		word_value = 0;
		word_pending = false }
	od
}

/* Stores of an engine come in their order: PCI Express's, or a store-release of its emulation. */
inline store_word(what)
{
	atomic {
		!word_pending;
		word_value = what;
#ifndef NO_RELEASE_OF_WORD
		word_behind = engine_pending;
#endif
		word_pending = true;
	}
}

proctype Engine()
{
	byte internal, last, next, descriptor, early = NOTHING, position;
end:
	do
	:: atomic { memory[COMMAND] != 0 && engine_pending == 0 && !word_pending ->
		state = RESET;
		shown = RESET;
		shown_last = 0;
		memory[DOORBELL] = 0;
		memory[CHAIN] = 0;
		internal = 0;
		last = 0;
		early = NOTHING;
		memory[COMMAND] = 0 }
	:: atomic { state == RESET && memory[COMMAND] == 0 && memory[CHAIN] != 0 ->
		state = ARMED;
		shown = ARMED;
		next = memory[CHAIN] - 1;
		engine_at = chain_position }
	/* A count from before CHAINADDR is forgotten (section 5). */
	:: atomic { state == RESET && memory[COMMAND] == 0 && memory[CHAIN] == 0 &&
		    memory[DOORBELL] != 0 -> memory[DOORBELL] = 0 }
#ifdef NO_ACQUIRE_OF_DOORBELL
	:: atomic { state == ARMED && early == NOTHING -> early = memory[next] }
#endif
	:: atomic { state == ARMED && memory[COMMAND] == 0 && memory[DOORBELL] != internal ->
		position = engine_at;
		started = (position + 1 > started -> position + 1 : started);
		descriptor = (early != NOTHING -> early : memory[next]);
		early = NOTHING;
		/* What was built, whole, and not overwritten. */
		assert((descriptor & POSITION) == position) };
		if
		:: atomic { !(descriptor & NULL) && fails < FAILS ->
			fails++;
			fault = position;
			state = HALT };
			if
			:: store_word(last | HALTED)
			:: skip
			fi;
			atomic { !word_pending; shown_last = last; shown = HALT }
		:: true ->
			if
			:: atomic { !(descriptor & NULL) ->
				assert(position >= removed);
				engine_pending = engine_pending | bit(position);
				if
				:: is_chained(position) && !(alone & bit(position)) &&
				   !(written & bit(position - 1)) -> skip
				:: else -> engine_value = engine_value | bit(position)
				fi;
#ifdef REMOVER
				engine_write(position)
#endif
				}
			:: else -> skip
			fi;
			last = next + 1;
			if
			:: (descriptor & UPDATE) -> store_word(last)
			:: else -> skip
			fi;
			/* Nothing behind it is begun before it is done. */
			if
			:: (descriptor & FENCE) -> engine_pending == 0
			:: else -> skip
			fi;
			atomic {
				shown_last = last;
				internal = (internal + 1) % COUNT;
				next = (next + 1) % SIZE;
				engine_at++;
				position = 0;
				descriptor = 0
			}
		fi
	od
}

/* ---- The driver ---- */

#define OK      0
#define FAILED  1
#define ABORTED 2

byte fate[TOTAL];

#define own(place) ((pending & bit(place)) -> value[place] : memory[place])

inline build()
{
	atomic {
		at = head;
#ifdef NO_FENCE
		descriptor = at;
#else
		descriptor = at | (has_fence(at) -> FENCE : 0);
#endif
		if
		:: is_chained(at) && fate[at - 1] != OK && tail >= at -> alone = alone | bit(at)
		:: else -> skip
		fi;
		store_slot(at, descriptor);
		head++;
		at = 0;
		descriptor = 0
	}
}

/* spdk_ioat_flush() */
inline flush()
{
	atomic {
		at = head - 1;
		descriptor = own(at & MASK) | UPDATE;
		store_slot(at, descriptor);
		announced = head;
		at = 0;
		descriptor = 0
	};
#ifdef ANNOUNCED_AFTER_DOORBELL
	write_register(DOORBELL, (announced - base) % COUNT);
	store_release(ANNOUNCED, announced)
#else
	store_release(ANNOUNCED, announced);
#ifdef NO_BARRIER_BEFORE_DOORBELL
	store(DOORBELL, (announced - base) % COUNT)
#else
	write_register(DOORBELL, (announced - base) % COUNT)
#endif
#endif
}

/* advance() */
inline advance(address)
{
	atomic {
		newly = ((address & SLOT) - completed) & MASK;
		/* The engine is honest: what it says is never refused. */
		assert(newly <= announced - completed);
		completed = completed + newly;
		store_release(COMPLETED, completed);
		newly = 0
	}
}

/* abort_fenced(): what is behind the fence of the failed one. */
inline abort_fenced()
{
	at = completed;
	do
	:: at < head && !has_fence(at) -> at++
	:: else -> break
	od;
	do
	:: at + 1 < head ->
		at++;
		descriptor = own(at & MASK) | NULL;
		store_slot(at, descriptor);
		fate[at] = ABORTED
	:: else -> break
	od;
	atomic { at = 0; descriptor = 0 }
}

/* udma_ioat_recover(), with blame() and go_on(). */
inline recover()
{
	write_register(COMMAND, 1);
	atomic { (pending & bit(COMMAND)) == 0 && memory[COMMAND] == 0 };
	atomic {
		assert(completed != announced);
		/* The one at fault is found: no other. */
		assert(completed == fault);
		fate[completed] = FAILED;
		abort_fenced();
		completed = completed + 1;
		store_release(COMPLETED, completed)
	};
	arm()
}

/* udma_ioat_arm(), and the doorbell of go_on(). */
inline arm()
{
	atomic {
#ifndef WORD_IS_KEPT
		store(WORD, 0);
#endif
		seen = 0;
#ifdef RESTART_AT_THE_FAULT
		base = (completed > 0 -> completed - 1 : 0);
#else
		base = completed;
#endif
		chain_position = base
	};
	write_register(CHAIN, (base & MASK) + 1);
	if
	:: announced != base ->
#ifdef NO_BARRIER_AT_RESTART
		store(DOORBELL, (announced - base) % COUNT)
#else
		write_register(DOORBELL, (announced - base) % COUNT)
#endif
	:: else -> skip
	fi
}

/* call_back(): each request ends once, and with the truth. */
inline call_back()
{
	d_step {
		do
		:: tail < completed ->
			if
			:: fate[tail] == OK ->
#ifdef NO_ACQUIRE_OF_WORD
				assert(loaded & bit(tail));
#else
				assert(written & bit(tail));
#endif
			:: else ->
				assert(!(written & bit(tail)));
				assert(fate[tail] == FAILED || !(touched & bit(tail)))
			fi;
			tail++
		:: else -> break
		od
	}
}

/* take_completion() */
inline take_completion()
{
	if
	:: word == HALTED ->
		seen = word;
		assert(completed == base);
		recover()
	:: word != HALTED && word != 0 ->
		seen = word;
		advance(word);
		if
		:: word & HALTED -> recover()
		:: else -> skip
		fi
	:: word == 0 -> seen = word
	fi;
	word = 0;
	call_back()
}

#ifdef ONE_SLOT_TOO_MANY
#define LIMIT (tail + SIZE)
#else
#define LIMIT (tail + MASK)
#endif

proctype Driver()
{
	byte head, announced, completed, tail, seen, base;
	byte word, newly, at, descriptor, status;
	short loaded;

	arm();
	do
	:: head < TOTAL && head != LIMIT -> build()
	:: head != announced -> flush()
#ifdef NO_ACQUIRE_OF_WORD
	:: loaded != written -> loaded = written
#endif
	:: atomic { own(WORD) != seen -> word = own(WORD) };
		take_completion()
	/* look(): a halt that was not pushed. */
	:: atomic { completed != announced && shown == HALT -> status = shown_last };
		word = own(WORD);
		if
		:: word != seen -> take_completion()
		:: else ->
			if
			:: status == 0 -> assert(completed == base)
			:: else -> advance(status)
			fi;
			recover();
			word = 0;
			call_back()
		fi;
		status = 0
	:: tail == TOTAL -> break
	od;
	assert(head == TOTAL && completed == TOTAL)
}

/* ---- Another thread: wait_for() of quiesce.c, and reached() ---- */

proctype Remover()
{
	byte target, first, word, last, newly, position;

	/* Whatever the engine is inside of has been announced, for all to see. */
	atomic { target = memory[ANNOUNCED]; assert(target >= started) };
	do
	:: position >= target -> break
	:: else ->
#ifdef WORD_BEFORE_COMPLETED
		word = memory[WORD];
		first = memory[COMPLETED];
		last = memory[ANNOUNCED];
#else
		first = memory[COMPLETED];
#ifdef ANNOUNCED_AFTER_WORD
		word = memory[WORD];
		last = memory[ANNOUNCED];
#else
		last = memory[ANNOUNCED];
		word = memory[WORD];
#endif
#endif
		atomic {
			if
#ifndef COMPLETED_ONCE
			:: memory[COMPLETED] != first -> skip
#endif
			:: else ->
				newly = ((word & SLOT) - first) & MASK;
				if
				:: (word & SLOT) == 0 || newly > last - first -> position = first
				:: else -> position = first + newly
				fi
			fi;
			newly = 0; first = 0; last = 0; word = 0
		}
	od;
	removed = target
}

init {
	atomic {
		byte i;
		for (i : 0 .. SIZE - 1) {
			memory[i] = NOTHING
		}
		i = 0;
		run Memory();
		run Engine();
		run Driver();
#ifdef REMOVER
		run Remover()
#endif
	}
}
