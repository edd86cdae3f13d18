import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DataSource, EntitySchema } from 'typeorm';

/**
 * The least that an application of Nest and TypeORM is: Fastify, one route, one entity, connected to Postgres. Plain
 * JavaScript, as the built service is; decorators are called by hand. Prints where it listens.
 */
const Person = new EntitySchema({
  name: 'person',
  columns: { id: { type: 'uuid', primary: true }, name: { type: 'text' } },
});

class PeopleController {
  constructor(dataSource) {
    this.dataSource = dataSource;
  }

  list() {
    return this.dataSource.getRepository(Person).find();
  }
}
Controller('people')(PeopleController);
Get()(
  PeopleController.prototype,
  'list',
  Object.getOwnPropertyDescriptor(PeopleController.prototype, 'list'),
);
Reflect.defineMetadata('design:paramtypes', [DataSource], PeopleController);

class AppModule {}
Module({
  controllers: [PeopleController],
  providers: [
    {
      provide: DataSource,
      useFactory: () =>
        new DataSource({ type: 'postgres', url: process.env.DATABASE_URL, entities: [Person] }).initialize(),
    },
  ],
})(AppModule);

const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false });
await app.listen(0, '127.0.0.1');
console.log(`bare application listening on ${await app.getUrl()}`);
