"""A greenlet updates a row that another one has locked, with a driver that blocks the hub
(https://github.com/gevent/gevent/issues/1881).
truth: `buy` blocked the hub 2 s twice in `execute` for a row that another greenlet has locked."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402

import gevent  # noqa: E402
import psycopg2  # noqa: E402

URL = os.environ["PG_URL"]


def connect():
    connection = psycopg2.connect(URL)
    connection.cursor().execute("set lock_timeout = '2s'")
    connection.commit()
    return connection


def prepare():
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("drop table if exists stock")
    cursor.execute("create table stock (id int primary key, amount int)")
    cursor.execute("insert into stock values (1, 100)")
    connection.commit()


def call_payment():
    gevent.sleep(0.3)


def buy(name):
    connection = connect()
    cursor = connection.cursor()
    try:
        cursor.execute("update stock set amount = amount - 1 where id = 1")
        call_payment()
        connection.commit()
        print(name, "bought")
    except psycopg2.errors.LockNotAvailable:
        connection.rollback()
        print(name, "gave up")


def main():
    prepare()
    gevent.joinall([gevent.spawn(buy, f"buyer-{n}") for n in range(3)])


main()
